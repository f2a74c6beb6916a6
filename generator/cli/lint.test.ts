import { expect, it } from "vitest";
import { scaffold } from "../testing/cli.js";
import { contractProject, notesPath, notesProto } from "../testing/contract-project.js";

it("is quiet when there is nothing to say", async () => {
  expect(await scaffold(contractProject().root, ["lint"])).toEqual({ code: 0, stdout: "", stderr: "" });
});

it("reports buf's findings and ours together, from a folder inside too", async () => {
  const project = contractProject();
  const broken = notesProto.replace('entities: "Note"', 'entities: "Not"').replace("string text", "string Text");
  project.write(notesPath, broken);
  const { code, stdout, stderr } = await scaffold(`${project.root}/proto`, ["lint"]);
  expect(code).toBe(100);
  // One line of numbers, and the next command to paste.
  const first = /: ([A-Z_]+): /.exec(stdout)![1]!;
  expect(stderr).toBe(`3 errors. What ${first} asks for: npx scaffold explain ${first}\n`);
  const lines = stdout.trimEnd().split("\n");
  expect(lines).toContainEqual(
    expect.stringMatching(/^proto\/desk\/notes\/v1\/notes\.proto:29:10: FIELD_LOWER_SNAKE_CASE: /),
  );
  expect(lines).toContainEqual(
    expect.stringMatching(/^proto\/desk\/notes\/v1\/notes\.proto:11:\d+: OPTION_NAME_UNKNOWN: /),
  );
});

it("does not fail for a note", async () => {
  const streaming = notesProto.replace("returns (Note) {", "returns (stream Note) {");
  const { code, stdout } = await scaffold(contractProject({ [notesPath]: streaming }).root, ["lint"]);
  expect(stdout).toMatch(/^proto\/desk\/notes\/v1\/notes\.proto:14:3: METHOD_NEAR_STANDARD: note: GetNote/);
  expect(code).toBe(0);
});

it("reports what does not compile, each once, as annotations", async () => {
  const broken = notesProto.replace("string text", "Missing text");
  const project = contractProject({ [notesPath]: broken });
  const { code, stdout } = await scaffold(project.root, ["lint", "--error-format", "github-actions"]);
  expect(code).toBe(100);
  expect(stdout).toBe(
    "::error file=proto/desk/notes/v1/notes.proto,line=29,col=3,title=COMPILE::cannot find `Missing` in this scope\n",
  );
});

it("prints lines that Visual Studio reads", async () => {
  const streaming = notesProto
    .replace("returns (Note) {", "returns (stream Note) {")
    .replace("string text", "string Text");
  const { stdout } = await scaffold(contractProject({ [notesPath]: streaming }).root, [
    "lint",
    "--error-format",
    "msvs",
  ]);
  expect(stdout.split("\n")).toEqual([
    expect.stringMatching(/^proto\/desk\/notes\/v1\/notes\.proto\(29,10\) : error FIELD_LOWER_SNAKE_CASE : Field name/),
    expect.stringMatching(/^proto\/desk\/notes\/v1\/notes\.proto\(14,3\) : message METHOD_NEAR_STANDARD : GetNote/),
    "",
  ]);
});
