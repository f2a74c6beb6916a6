import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { scaffold } from "../testing/cli.js";
import { contractProject, notesPath, notesProto } from "../testing/contract-project.js";

const fixtures = fileURLToPath(new URL("../testdata/breaking/", import.meta.url));

it.each(readdirSync(fixtures).filter((name) => name.startsWith("after-")))(
  "says what is broken in %s",
  async (name) => {
    const { code, stdout } = await scaffold(join(fixtures, name), ["breaking", "--against", "../before"]);
    await expect(stdout).toMatchFileSnapshot(join(fixtures, name, "findings.txt"));
    expect(code).toBe(stdout === "" ? 0 : 100);
  },
);

it("compares with a branch, as JSON lines in buf's words", async () => {
  const project = contractProject();
  project.commit();
  project.write(notesPath, notesProto.replace("string text = 2", "int32 text = 2"));
  const args = ["breaking", "--against", ".git#branch=main", "--error-format", "json"];
  const { code, stdout } = await scaffold(project.root, args);
  expect(code).toBe(100);
  expect(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    {
      path: notesPath,
      start_line: 29,
      start_column: 3,
      type: "FIELD_SAME_TYPE",
      message: expect.stringContaining("changed type"),
      severity: "error",
    },
  ]);
});

it("says what it cannot compare with", async () => {
  const project = contractProject();
  const result = await scaffold(project.root, ["breaking", "--against", "../nowhere"]);
  expect(result).toMatchObject({ code: 1, stdout: "" });
  expect(result.stderr).toContain("nowhere");
});
