import { readdirSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { buildContract } from "../contract/build.js";
import type { Contract } from "../contract/contract.js";
import { runningSagas } from "../rules/running-sagas.js";
import { compile } from "../testing/image.js";
import { sagaRules } from "./saga-rules.js";
import { compareSagas } from "./sagas.js";

const fixtures = fileURLToPath(new URL("../testdata/breaking-sagas/", import.meta.url));
const cases = readdirSync(fixtures).filter((name) => name.startsWith("after-"));
const broken = new Set<string>();
let before: Contract;

beforeAll(async () => {
  before = await contract("before");
});

test.each(cases)("says what is broken for sagas that run in %s", async (name) => {
  const findings = compareSagas(before, await contract(name));
  for (const { rule } of findings) broken.add(rule);
  const lines = findings.map(({ file, line, column, rule, message, old }) => {
    const stood = old === undefined ? "" : ` Deleted from ${old.file}:${old.line}:${old.column}.`;
    return `${file}:${line}:${column}: ${rule}: ${message}${stood}\n`;
  });
  await expect(lines.join("")).toMatchFileSnapshot(join(fixtures, name, "findings.txt"));
});

test("what is the same breaks nothing", () => {
  expect(compareSagas(before, before)).toEqual([]);
});

test("a service that is gone has lost its sagas", () => {
  const findings = compareSagas(before, { files: [], services: [], entities: [], events: [] });
  expect(findings.map(({ file, rule, old }) => `${file} ${rule} ${old?.file}:${old?.line}`)).toEqual([
    "buf.yaml SAGA_NO_DELETE trips.proto:17",
    "buf.yaml SAGA_NO_DELETE trips.proto:37",
  ]);
});

test("every rule is broken by some contract here", () => {
  expect([...broken].sort()).toEqual(Object.keys(runningSagas).sort());
  expect([...sagaRules].sort()).toEqual(Object.keys(runningSagas).sort());
});

/** The contract of a case: what was before, with the files that the case has in their place. */
async function contract(name: string): Promise<Contract> {
  const folder = await mkdtemp(join(tmpdir(), "scaffold-breaking-"));
  try {
    for (const from of ["before", name]) await cp(join(fixtures, from), folder, { recursive: true });
    const { contract, findings } = buildContract(await compile(folder));
    expect(findings).toEqual([]);
    return contract;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
