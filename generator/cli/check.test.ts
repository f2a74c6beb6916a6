import { expect, it } from "vitest";
import { scaffold } from "../testing/cli.js";
import { contractProject, notesPath, notesProto } from "../testing/contract-project.js";

const tsconfig = JSON.stringify({ compilerOptions: { strict: true, types: [] }, include: ["services/a.ts"] });

it("passes a project that is in order", async () => {
  const project = contractProject({ "tsconfig.json": tsconfig, "services/a.ts": "export const a: number = 1;\n" });
  await scaffold(project.root, ["generate"]);
  const { code, stdout, stderr } = await scaffold(project.root, ["check"]);
  expect([code, stdout]).toEqual([0, ""]);
  expect(stderr).toMatch(/^lint {3}ok .*\ndrift {2}ok .*\ntypes {2}ok .*\n$/);
});

it("finds what lint, generate and tsc find, all at once", async () => {
  const project = contractProject({
    "tsconfig.json": tsconfig,
    "services/a.ts": `export const a: { b: number } = {\n  b: "1",\n};\n`,
    [notesPath]: notesProto.replace("string text", "string Text"),
  });
  const { code, stdout } = await scaffold(project.root, ["check"]);
  expect(code).toBe(100);
  expect(stdout).toContain(`${notesPath}:29:10: FIELD_LOWER_SNAKE_CASE: `);
  expect(stdout).toContain("generated/desk/notes/v1/notes_service.ts:1:1: GENERATED_STALE: ");
  expect(stdout).toContain("services/a.ts:2:3: TS2322: Type 'string' is not assignable to type 'number'.\n");
});

it("does not go on after a contract that does not compile", async () => {
  const project = contractProject({ [notesPath]: notesProto.replace("string text", "Missing text") });
  const { code, stdout } = await scaffold(project.root, ["check"]);
  expect(code).toBe(100);
  expect(stdout.trimEnd().split("\n")).toEqual([expect.stringContaining("COMPILE")]);
});

it("says what it needs to check types", async () => {
  const project = contractProject();
  await scaffold(project.root, ["generate"]);
  expect(await scaffold(project.root, ["check"])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("tsconfig.json is missing"),
  });
});
