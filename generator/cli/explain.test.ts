import { expect, it } from "vitest";
import { catalogue } from "../rules/catalogue.js";
import { scaffold } from "../testing/cli.js";
import { contractProject, notesPath, notesProto } from "../testing/contract-project.js";
import { temporaryProject } from "../testing/project.js";

it("lists our rules, and explains each, wherever it is called", async () => {
  const { root } = temporaryProject();
  const all = await scaffold(root, ["explain"]);
  expect(all.code).toBe(0);
  expect(all.stdout.trim().split("\n")).toHaveLength(Object.keys(catalogue).length);
  const one = await scaffold(root, ["explain", "http_rule"]);
  expect(one.stdout).toMatch(
    /^HTTP_RULE: A google\.api\.http rule[\s\S]*Bad:[\s\S]*Good:[\s\S]*scaffold:ignore HTTP_RULE <reason>\n$/,
  );
});

it.each([
  ["FIELD_LOWER_SNAKE_CASE", "is buf's (lint)", "https://buf.build/docs/lint/rules/#field_lower_snake_case"],
  ["FIELD_NO_DELETE", "is buf's (breaking)", "https://buf.build/docs/breaking/rules/#field_no_delete"],
  ["COMPILE", "is buf's", "protobuf.dev"],
  ["TS2322", "of the TypeScript compiler", "@ts-expect-error"],
])("says whose %s is", async (id, whose, where) => {
  const { code, stdout } = await scaffold(temporaryProject().root, ["explain", id]);
  expect(code).toBe(0);
  expect(stdout).toContain(whose);
  expect(stdout).toContain(where);
});

it("guesses what was meant", async () => {
  expect(await scaffold(temporaryProject().root, ["explain", "HTP_RULE"])).toEqual({
    code: 1,
    stdout: "",
    stderr: "scaffold: HTP_RULE is not a rule. Did you mean HTTP_RULE? scaffold explain lists them all\n",
  });
});

it("ignores what a comment asks for, and generates without it", async () => {
  const comment = "// scaffold:ignore METHOD_NEAR_STANDARD it follows the note";
  const streaming = notesProto
    .replace("returns (Note) {", "returns (stream Note) {")
    .replace("  // Returns one note.", `  ${comment}\n  // Returns one note.`);
  const project = contractProject({ [notesPath]: streaming });
  expect(await scaffold(project.root, ["lint"])).toEqual({ code: 0, stdout: "", stderr: "" });
  expect((await scaffold(project.root, ["generate"])).code).toBe(0);
  expect(project.read("generated/desk/notes/v1/notes_pb.ts")).not.toContain("scaffold:ignore");
  project.write(notesPath, notesProto.replace("  // Returns one note.", `  ${comment}\n  // Returns one note.`));
  const unused = await scaffold(project.root, ["lint"]);
  expect(unused).toMatchObject({ code: 100, stdout: expect.stringContaining(`${notesPath}:13:3: IGNORE_UNUSED: `) });
});
