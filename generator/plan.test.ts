import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { buildContract } from "./contract/build.js";
import type { Diagnostic } from "./contract/findings/diagnostic.js";
import { planEvolution } from "./evolve/evolution.js";
import { absent } from "./output/path.js";
import { plan } from "./plan.js";
import { entities } from "./rules/entities.js";
import { events } from "./rules/events.js";
import { methods } from "./rules/methods.js";
import { names } from "./rules/names.js";
import { sagas } from "./rules/sagas.js";
import { services } from "./rules/services.js";
import { compile } from "./testing/image.js";

const testdata = fileURLToPath(new URL("./testdata/", import.meta.url));
const target = { generated: "generated", package: "@acme/generated" };

describe.each([
  "order",
  "plain",
  "columns",
  "library",
  "presence",
  "codec",
  "parcels",
  "events",
  "upcasts",
  "trip",
  "inherited",
])("%s", (name) => {
  test("is printed as expected, and twice the same", async () => {
    const image = await compile(join(testdata, name));
    const { contract, findings } = buildContract(image);
    expect(findings).toEqual([]);
    const { histories } = await planEvolution(await outsideOfGit(join(testdata, name)), contract);
    const files = await plan(contract, image, target, histories);
    for (const { path, content } of files) {
      await expect(content).toMatchFileSnapshot(join(testdata, name, "expected", path));
    }
    const expected = await readdir(join(testdata, name, "expected"), { recursive: true, withFileTypes: true });
    const there = expected
      .filter((entry) => entry.isFile())
      .map((entry) => relative(join(testdata, name, "expected"), join(entry.parentPath, entry.name)));
    expect(there.sort()).toEqual(files.map(({ path }) => path).sort());
    expect(await plan(contract, image, target, histories)).toEqual(files);
  });
});

describe.each([
  "refuse-entities",
  "refuse-services",
  "refuse-methods",
  "refuse-events",
  "refuse-sagas",
  "refuse-http",
  "refuse-names",
])("%s", (name) => {
  test("is refused, with all that is wrong, where, and the way out", async () => {
    const { findings } = buildContract(await compile(join(testdata, name)));
    await expect(findings.map(line).join("")).toMatchFileSnapshot(join(testdata, name, "diagnostics.txt"));
  });
});

test("every rule is broken by some contract here", async () => {
  const folders = (await readdir(testdata)).filter((name) => name.startsWith("refuse-"));
  const texts = await Promise.all(folders.map((name) => readFile(join(testdata, name, "diagnostics.txt"), "utf8")));
  const broken = new Set(texts.join("").match(/(?<=: )[A-Z_]+(?=: )/g));
  // Migrations and sagas that run are compared with what was there before: generator/migrate and generator/compare test them.
  const here = Object.keys({ ...services, ...entities, ...methods, ...events, ...sagas, ...names });
  expect([...broken].sort()).toEqual(here.sort());
});

/** A copy of a case's folder of services, all of whose versions count as recorded. */
async function outsideOfGit(folder: string) {
  const root = await mkdtemp(join(tmpdir(), "scaffold-plan-"));
  onTestFinished(() => rm(root, { recursive: true }));
  await cp(join(folder, "services"), join(root, "services"), { recursive: true }).catch(absent);
  return { root, services: "services", generated: "generated" };
}

function line({ file, line, column, rule, message, severity }: Diagnostic): string {
  return `${file}:${line}:${column}: ${rule}: ${severity === "note" ? "note: " : ""}${message}\n`;
}
