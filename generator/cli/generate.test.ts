import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { scaffold } from "../testing/cli.js";
import { contractProject, notesPath, notesProto } from "../testing/contract-project.js";
import type { TemporaryProject } from "../testing/project.js";

const service = "generated/desk/notes/v1/notes_service.ts";

/** The files of the tool's, with their times. */
function files({ root }: TemporaryProject): string[] {
  const names = readdirSync(join(root, "generated"), { recursive: true, encoding: "utf8" }).sort();
  return names.map((name) => `${name} ${statSync(join(root, "generated", name)).mtimeMs}`);
}

it("writes what is missing, and then nothing more", async () => {
  const project = contractProject();
  expect(await scaffold(project.root, ["generate", "--check"])).toMatchObject({
    code: 100,
    stdout: expect.stringContaining(`${service}:1:1: GENERATED_STALE: The file is missing. Run scaffold generate`),
  });
  const first = await scaffold(project.root, ["generate"]);
  expect(first.code).toBe(0);
  expect(first.stdout).toContain(`create ${service}\n`);
  const written = files(project);
  expect(await scaffold(project.root, ["generate"])).toMatchObject({ code: 0, stdout: "" });
  expect(await scaffold(project.root, ["generate", "--check"])).toMatchObject({ code: 0, stdout: "" });
  expect(files(project)).toEqual(written);
});

it("shows a change without making it, as a list and as a patch that git applies", async () => {
  const project = contractProject();
  await scaffold(project.root, ["generate"]);
  project.commit();
  project.write(notesPath, notesProto.replaceAll("PinNote", "PostNote"));
  const listed = await scaffold(project.root, ["generate", "--dry-run"]);
  expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining(`update ${service}\n`) });
  const patch = await scaffold(project.root, ["generate", "--diff"]);
  expect(patch).toMatchObject({ code: 0, stdout: expect.stringContaining("+  postNote(") });
  expect(project.git("status", "--porcelain")).toBe(` M ${notesPath}\n`);
  execFileSync("git", ["apply"], { cwd: project.root, input: patch.stdout });
  expect(await scaffold(project.root, ["generate", "--check"])).toMatchObject({ code: 0 });
});

it("shows an edit that is in the way, writes nothing, and gives it up only when told", async () => {
  const project = contractProject();
  await scaffold(project.root, ["generate"]);
  project.write(service, `${project.read(service)}// mine\n`);
  project.write(notesPath, notesProto.replace("// Pins a note", "// Posts a note"));
  const before = files(project);
  const refused = await scaffold(project.root, ["generate"]);
  expect(refused.code).toBe(100);
  expect(refused.stdout).toMatch(new RegExp(`^${service}:1:1: GENERATED_CONFLICT: .*--force ${service}\n$`));
  expect(refused.stderr).toContain("-// mine\n");
  expect(files(project)).toEqual(before);
  // Relative to where the user is.
  const forced = await scaffold(join(project.root, "generated"), [
    "generate",
    "--force",
    "desk/notes/v1/notes_service.ts",
  ]);
  expect(forced.code).toBe(0);
  expect(project.read(service)).not.toContain("// mine");
});

it("writes nothing for a contract with errors", async () => {
  const project = contractProject({ [notesPath]: notesProto.replace('entities: "Note"', 'entities: "Not"') });
  const { code, stdout } = await scaffold(project.root, ["generate"]);
  expect(code).toBe(100);
  expect(stdout).toContain(`${notesPath}:11:`);
  expect(project.read("generated/manifest.txt")).toBeUndefined();
});

it("says everything in one JSON document", async () => {
  const project = contractProject();
  const { code, stdout } = await scaffold(project.root, ["generate", "--json"]);
  expect(code).toBe(0);
  const document = JSON.parse(stdout) as { diagnostics: unknown[]; actions: unknown[] };
  expect(document.diagnostics).toEqual([]);
  expect(document.actions).toContainEqual({ kind: "create", path: service });
});
