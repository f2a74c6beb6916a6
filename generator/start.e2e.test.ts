import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { freePort } from "./dev/ports.js";
import { removePostgres } from "./dev/postgres.js";
import { npmStart, packPackages, run, type UserSystem } from "./testing/outside.js";

/** The first ten minutes as docs/start.md has them: its commands, its code and its output, outside of the repository. */

const place = realpathSync(mkdtempSync(join(tmpdir(), "scaffold-start-")));
const project = join(place, "corner-shop");
const page = readFileSync(new URL("../docs/start.md", import.meta.url), "utf8");
const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({
  language,
  text,
}));
/** The end of the block that a creation prints, and no list. */
const created = 'Z"}\n';
const patience = { timeout: 120_000, interval: 100 };
let system: UserSystem | undefined;
let id = "";

afterAll(async () => {
  await system?.stop();
  await removePostgres(join(project, ".scaffold", "postgres"));
  rmSync(place, { recursive: true, force: true });
});

/** Returns the block of the page that contains `words`. */
function block(language: string, words: string): string {
  const found = blocks.filter((each) => each.language === language && each.text.includes(words));
  expect(
    found.map(({ text }) => text),
    `blocks of ${language} with ${words}`,
  ).toHaveLength(1);
  return found[0]!.text;
}

/** Runs a block of commands against the system, wherever it listens. */
async function shell(commands: string): Promise<string> {
  const [printedAddress, printedId] = ["http://127.0.0.1:8080", idIn(block("json", created))];
  const here = commands.replaceAll(printedAddress, system?.address ?? "").replaceAll(printedId, id);
  return (await run(project, "bash", "-ec", here)).stdout;
}

function idIn(json: string): string {
  return /"id":"([^"]+)"/.exec(json)?.[1] ?? "";
}

/** Replaces what differs from run to run. */
function steady(output: string): string {
  return output
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<id>")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>");
}

function edit(path: string, change: (before: string) => string): void {
  const before = readFileSync(join(project, path), "utf8");
  const after = change(before);
  expect(after).not.toBe(before);
  writeFileSync(join(project, path), after);
}

test("the packages install, and a service is created", async () => {
  const tarballs = await packPackages(place);
  mkdirSync(project, { recursive: true });
  const install = block("sh", "mkdir corner-shop").replace(/^mkdir.*\n/, "");
  await shell(install.replace(/\/tmp\/\S+ \/tmp\/\S+/, tarballs.join(" ")));
  expect(await shell(block("sh", "new-service"))).toBe(block("text", "create proto"));
  const [contract = ""] = block("proto", "service CatalogService").split("  …");
  expect(readFileSync(join(project, "proto/corner_shop/catalog/v1/catalog.proto"), "utf8")).toContain(contract);
  expect(readFileSync(join(project, "services/catalog/catalog.ts"), "utf8")).toContain(block("ts", "() => ({})"));
});

test("it runs, and is called over REST and gRPC", async () => {
  const [, args = ""] = /^npm start (.*)$/m.exec(block("sh", "npm start")) ?? [];
  system = await npmStart(project, String(await freePort()), ...args.split(" "));
  const names = (lines: string) => lines.match(/^\S+(?= +(http|127))/gm);
  expect(names(system.said.join("\n"))).toEqual(names(block("text", "balancer")));
  const product = await shell(block("sh", '"name": "Cup"'));
  expect(steady(product)).toBe(steady(block("json", created).trim()));
  id = idIn(product);
  expect(steady(await shell(block("sh", "scaffold call")))).toBe(steady(block("json", '{"products"')));
});

test("a method of one's own is asked for, written, and called", async () => {
  const path = "proto/corner_shop/catalog/v1/catalog.proto";
  edit(path, (before) =>
    before
      .replace('import "google', `${block("proto", "import")}import "google`)
      .replace("\n}\n", `\n\n${block("proto", "rpc DiscountProduct")}}\n`)
      .concat("\n", block("proto", "message DiscountProductRequest")),
  );
  await expect.poll(() => `${system?.said.join("\n")}\n`, patience).toContain(block("text", "not written yet"));
  writeFileSync(join(project, "services/catalog/catalog.ts"), block("ts", "discountProduct({ id, percent }"));
  const restarted = block("text", "restarted").match(/^\S+ restarted/gm)!;
  await expect.poll(() => restarted.filter((line) => !system?.said.join("\n").includes(line)), patience).toEqual([]);
  const call = block("sh", ":discount");
  for (let time = 0; time < 2; time++) expect(JSON.parse(await shell(call))).toMatchObject({ priceCents: "405" });
  expect(await shell(call.replace('"percent": 10', '"percent": 99'))).toBe(block("json", "INT32_GTE_LTE").trim());
});

test("its test passes, and so does what CI asks for", async () => {
  edit("services/catalog/catalog.test.ts", (before) => `${before}\n${block("ts", "lowers a price once")}`);
  const passed = block("text", "2 tests").trim();
  expect(await shell(block("sh", "npm test"))).toContain(passed);
  const { stderr } = await run(project, "npm", "run", "check");
  const stages = (lines: string) => lines.match(/^\w+ +ok/gm);
  expect(stages(stderr)).toEqual(stages(block("text", "drift")));
});
