import { rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { generate } from "../generate.js";
import { buildImage } from "../image/compile.js";
import { isChange } from "../output/action.js";
import { readSettings, type Settings } from "../project/settings.js";
import { scaffold } from "../testing/cli.js";
import { contractProject, notesPath, notesProto } from "../testing/contract-project.js";
import { run } from "./pipeline.js";
import { lastRun, upToDate } from "./up-to-date.js";

const generated = "generated/desk/notes/v1/notes_service.ts";

it("knows that nothing changed, and gives the same answer as working it out", async () => {
  const project = contractProject();
  const settings = await readSettings(project.root);
  expect(await remembered(settings)).toBeUndefined();
  await generate(settings, "write");
  const result = await remembered(settings);
  rmSync(join(project.root, ".scaffold/generated.json"));
  const worked = await generate(settings, "write");
  expect(result?.actions.filter(isChange)).toEqual([]);
  expect(result?.actions.map(({ kind, path }) => `${kind} ${path}`)).toEqual(
    worked.actions.map(({ kind, path }) => `${kind} ${path}`),
  );
  expect(result?.missing).toEqual(worked.missing);
  // The manifest knows more than a run speaks of: what was given away.
  expect(await remembered(settings)).toEqual(result);
});

it("sees every change, and forgets when it is undone; times count for nothing", async () => {
  const project = contractProject();
  const settings = await readSettings(project.root);
  await generate(settings, "write");
  const isKnown = async () => (await remembered(settings)) !== undefined;
  expect(await isKnown()).toBe(true);

  utimesSync(join(project.root, generated), 1, 1);
  expect(await isKnown()).toBe(true);
  const changes: [path: string, text: string][] = [
    [generated, `${project.read(generated)}// mine\n`],
    ["generated/manifest.txt", `${project.read("generated/manifest.txt")}generated/x.ts user\n`],
    [notesPath, notesProto.replace("// Pins", "// Puts")],
    [notesPath, notesProto.replace("rpc GetNote(", "rpc /* scaffold:ignore */ GetNote(")],
    ["services/notes/notes.ts", "export {};\n"],
    ["buf.yaml", `${project.read("buf.yaml")}# mine\n`],
    ["buf.lock", "version: v2\n"],
  ];
  for (const [path, text] of changes) {
    const before = project.read(path);
    project.write(path, text);
    expect([path, await isKnown()]).toEqual([path, false]);
    if (before === undefined) rmSync(join(project.root, path));
    else project.write(path, before);
    expect([path, await isKnown()]).toEqual([path, true]);
  }
  for (const path of ["generated/new.ts", "services/notes/migrations/0009_more.sql", "templates/service/main.ts.hbs"]) {
    project.write(path, "");
    expect([path, await isKnown()]).toEqual([path, false]);
    rmSync(join(project.root, path));
  }
  expect(await isKnown()).toBe(true);
  expect(await remembered({ ...settings, package: "@other/generated" })).toBeUndefined();

  const text = project.read(generated)!;
  rmSync(join(project.root, generated));
  expect(await isKnown()).toBe(false);
  writeFileSync(join(project.root, "elsewhere.ts"), text);
  symlinkSync(join(project.root, "elsewhere.ts"), join(project.root, generated));
  expect(await isKnown()).toBe(false);
});

it("leaves a contract that does not compile, and a note of another kind, to be worked out", async () => {
  const project = contractProject();
  const settings = await readSettings(project.root);
  await generate(settings, "write");
  const kept = JSON.parse(project.read(".scaffold/generated.json")!) as object;
  project.write(".scaffold/generated.json", JSON.stringify({ ...kept, tool: "another", modules: {} }));
  expect(await remembered(settings)).toBeUndefined();
  project.write(".scaffold/generated.json", "{");
  expect(await remembered(settings)).toBeUndefined();
  project.write(notesPath, "nonsense");
  expect(await remembered(settings)).toBeUndefined();
});

it("reads protos as buf does: through links to files, without what buf.yaml leaves out", async () => {
  const project = contractProject({
    "buf.yaml": "version: v2\nmodules: [{path: proto, excludes: [proto/drafts]}]\n",
    "proto/drafts/a.proto": "a draft",
    "aside/b.proto": 'syntax = "proto3";\n\npackage desk.aside.v1;\n',
  });
  symlinkSync("../aside/b.proto", join(project.root, "proto/b.proto"));
  const settings = await readSettings(project.root);
  await generate(settings, "write");
  project.write("proto/drafts/a.proto", "another draft");
  expect(await remembered(settings)).toBeDefined();
  project.write("aside/b.proto", 'syntax = "proto3";\n\npackage desk.aside.v2;\n');
  expect(await remembered(settings)).toBeUndefined();
});

it("sees an edit of the contract that was made after it was compiled, and before the run had ended", async () => {
  const project = contractProject();
  const settings = await readSettings(project.root);
  await generate(settings, "write");
  const image = await buildImage(settings);
  project.write(notesPath, notesProto.replace("// Pins", "// Puts"));
  await run(settings, "write", {}, Promise.resolve(image));
  expect(await remembered(settings)).toBeUndefined();
});

it("keeps nothing while there is something to settle", async () => {
  const project = contractProject({ "generated/package.json": "mine\n" });
  const settings = await readSettings(project.root);
  const { actions } = await generate(settings, "write");
  expect(actions.filter(({ kind }) => kind === "conflict")).toHaveLength(1);
  expect(project.read(".scaffold/generated.json")).toBeUndefined();
});

it("speaks of a file that is not the tool's once, until something changes", async () => {
  const project = contractProject({ "generated/theirs.ts": "1\n" });
  const run = async () => (await scaffold(project.root, ["generate"])).stderr;
  expect(await run()).toContain("left alone, not the tool's: generated/theirs.ts");
  expect(await run()).not.toContain("left alone");
  project.write("generated/theirs.ts", "2\n");
  expect(await run()).toContain("left alone");
  expect(await run()).not.toContain("left alone");
});

it("says in one line that buf is missing, even if nothing changed since a run with it", async () => {
  const project = contractProject();
  await generate(await readSettings(project.root), "write");
  const { code, stdout, stderr } = await scaffold(project.root, ["generate"], { env: { BUF: "/nowhere/buf" } });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^scaffold: buf cannot be started: .*ENOENT.*\n$/);
});

async function remembered(settings: Settings) {
  return upToDate(settings, await lastRun(settings));
}
