import { cpSync, readdirSync, rmSync } from "node:fs";
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

it("says what is broken for sagas that run, of which buf knows nothing, unless it is left out or allowed", async () => {
  const sagas = fileURLToPath(new URL("../testdata/breaking-sagas/", import.meta.url));
  const project = contractProject();
  const breaking = (...args: string[]) =>
    scaffold(project.root, ["breaking", "--against", ".git#branch=main", ...args]);
  cpSync(join(sagas, "before"), join(project.root, "proto"), { recursive: true });
  project.commit();
  cpSync(join(sagas, "after-moved"), join(project.root, "proto"), { recursive: true });
  const [found, elsewhere, allowed] = await Promise.all([
    breaking(),
    breaking("--path", "proto/hotels.proto"),
    breaking("--allow", "SAGA_SAME_STEPS"),
  ]);
  expect(found.code).toBe(100);
  expect(found.stdout).toMatch(/^proto\/trips.proto:20:9: SAGA_SAME_STEPS: .*\n$/);
  expect(found.stderr).toContain("--allow");
  expect(found.stderr).not.toContain("the old contract");
  expect(elsewhere).toMatchObject({ code: 0, stdout: "", stderr: "" });
  expect(allowed).toMatchObject({ code: 0, stdout: "", stderr: "" });
});

it("names the old place of what was deleted, beside what is left, to people and to programs", async () => {
  const sagas = fileURLToPath(new URL("../testdata/breaking-sagas/", import.meta.url));
  const project = contractProject();
  const breaking = (...args: string[]) =>
    scaffold(project.root, ["breaking", "--against", ".git#branch=main", ...args]);
  cpSync(join(sagas, "before"), join(project.root, "proto/acme"), { recursive: true });
  project.commit();
  rmSync(join(project.root, "proto/acme/trips.proto"));
  const [people, programs, inFolder] = await Promise.all([
    breaking(),
    breaking("--error-format", "json"),
    breaking("--path", "proto/acme"),
  ]);
  expect(people.stdout).toMatch(/^buf.yaml:1:1: FILE_NO_DELETE: .* Deleted from proto\/acme\/trips.proto:1:1\.$/m);
  expect(people.stdout).toMatch(
    /^buf.yaml:1:1: SAGA_NO_DELETE: BookTrip .* Deleted from proto\/acme\/trips.proto:17:12\.$/m,
  );
  const lines = programs.stdout.trimEnd().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { old?: unknown }).old)).toEqual([
    { path: "proto/acme/trips.proto", start_line: 1, start_column: 1 },
    { path: "proto/acme/trips.proto", start_line: 17, start_column: 12 },
    { path: "proto/acme/trips.proto", start_line: 37, start_column: 12 },
  ]);
  // The finding itself stands in buf.yaml, which is not in the folder.
  expect(inFolder).toMatchObject({ code: 100, stdout: expect.stringContaining("SAGA_NO_DELETE: BookTrip") });
});

it("says which old events nobody could read, until somebody has begun to say what they mean", async () => {
  const withEvent = (field: string) => `${notesProto.replace(
    "returns (PinNoteResponse);",
    `returns (PinNoteResponse) { option (scaffold.v1.method) = {publishes: "NotePinned"}; }`,
  )}
message NotePinned {
  option (scaffold.v1.event) = {key: "note_id"};
  string note_id = 1;
  ${field}
}
`;
  const project = contractProject({ [notesPath]: withEvent("int32 wall = 2;") });
  await scaffold(project.root, ["generate"]);
  project.commit();
  const breaking = () => scaffold(project.root, ["breaking", "--against", ".git#branch=main"]);
  project.write(notesPath, withEvent("int32 wall = 2;\n  string place = 3;"));
  expect(await breaking()).toMatchObject({ code: 0, stdout: "" });
  project.write(notesPath, withEvent('reserved 2;\n  reserved "wall";\n  string place = 3;'));
  const found = await breaking();
  expect(found.code).toBe(100);
  expect(found.stdout).toMatch(
    /EVENT_CHANGED: NotePinned cannot be read in its old version without an upcaster, which fills place/,
  );
  await scaffold(project.root, ["generate"]);
  expect((await breaking()).stdout).not.toContain("EVENT_CHANGED");
});

it("says what it cannot compare with", async () => {
  const project = contractProject();
  const result = await scaffold(project.root, ["breaking", "--against", "../nowhere"]);
  expect(result).toMatchObject({ code: 1, stdout: "" });
  expect(result.stderr).toContain("nowhere");
});
