import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { scaffold } from "../testing/cli.js";
import { contractProject, notesPath, notesProto } from "../testing/contract-project.js";
import { type TemporaryProject, temporaryProject } from "../testing/project.js";

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
  const listed = await scaffold(project.root, ["generate", "-d"]);
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

it.each([
  ["a contract that does not compile", notesPath, notesProto.replace("string text", "strin text"), "COMPILE"],
  ["a template that cannot be rendered", "templates/service/main.ts.hbs", "{{nobody}}\n", "TEMPLATE_NAME_UNKNOWN"],
])("says %s in JSON, and in text with what comes next", async (_, path, text, rule) => {
  const project = contractProject({ [path]: text });
  const { code, stdout } = await scaffold(project.root, ["generate", "--json"]);
  expect(code).toBe(100);
  expect(JSON.parse(stdout)).toMatchObject({ diagnostics: [{ rule }], actions: [], counts: { written: 0 } });
  expect(await scaffold(project.root, ["generate"])).toEqual({
    code: 100,
    stdout: expect.stringContaining(`${rule}: `),
    stderr: "nothing written: there are errors\nnext: settle these, then npx scaffold generate\n",
  });
});

it("counts in JSON what it did, which with a conflict is nothing", async () => {
  const project = contractProject();
  await scaffold(project.root, ["generate"]);
  project.write(service, `${project.read(service)}// mine\n`);
  project.write(notesPath, notesProto.replace("// Pins a note", "// Posts a note"));
  const { stdout } = await scaffold(project.root, ["generate", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({
    counts: { written: 0, deleted: 0, conflicts: 1 },
    next: expect.stringContaining(`--force ${service}`),
  });
});

it("writes a starter that was removed again when it is asked for, and never over one that is there", async () => {
  const project = contractProject();
  const main = "services/notes/main.ts";
  await scaffold(project.root, ["generate"]);
  rmSync(join(project.root, "services/notes"), { recursive: true });
  await scaffold(project.root, ["generate"]);
  expect(project.read(main)).toBeUndefined();
  await scaffold(project.root, ["generate", "--force", "services/notes"]);
  expect(project.read(main)).toContain("serve(notes");
  project.write(main, "mine\n");
  const { stderr } = await scaffold(project.root, ["generate", "--force", main]);
  expect(stderr).toContain(`--force ${main}: there is nothing of the tool's`);
  expect(project.read(main)).toBe("mine\n");
});

it("starts services that consume events, with methods of their own and without", async () => {
  const project = contractProject();
  const pinned = "// A note was pinned.\nmessage NotePinned {\n  option (scaffold.v1.event) = {};\n}\n";
  const published = notesProto.replace(
    "returns (PinNoteResponse);",
    `returns (PinNoteResponse) {\n    option (scaffold.v1.method) = {publishes: "NotePinned"};\n  }`,
  );
  const consumed = published.replace(`entities: "Note"`, `entities: "Note" consumes: {event: "NotePinned"}`);
  project.write(notesPath, `${consumed}\n${pinned}`);
  const walls = notesProto
    .replaceAll("notes", "walls")
    .replaceAll("Note", "Wall")
    .replace(`entities: "Wall"`, `$& consumes: {event: "desk.notes.v1.NotePinned"}`)
    .replace(/ {2}\/\/ Pins.*\n.*\n/, "")
    .replace(/\nmessage PinWallRequest[\s\S]*/, "");
  project.write("proto/desk/walls/v1/walls.proto", walls);
  expect((await scaffold(project.root, ["generate"])).code).toBe(0);
  const consumer = `  consumers: () => ({
    async notePinned(delivery, { tx }) {
      throw new Error("what is done about NotePinned is not written yet");
    },
  }),
});
`;
  expect(project.read("services/notes/notes.ts")).toContain(`noteService({
  handlers: () => ({
    async pinNote(request, context) {
      throw new ConnectError("PinNote is not written yet", Code.Unimplemented);
    },
  }),
${consumer}`);
  expect(project.read("services/walls/walls.ts")).toContain(`wallService({\n  handlers: () => ({}),\n${consumer}`);
});

it("prints the stub of a method that only a comment speaks of", async () => {
  const project = contractProject();
  await scaffold(project.root, ["generate"]);
  const handlers = "services/notes/notes.ts";
  project.write(handlers, `// sortNote comes later; see "https://example.com"\n${project.read(handlers)}`);
  const method = "  // Sorts.\n  rpc SortNote(PinNoteRequest) returns (PinNoteResponse);\n\n";
  project.write(notesPath, notesProto.replace("  // Pins", `${method}  // Pins`));
  expect((await scaffold(project.root, ["generate"])).stderr).toContain("async sortNote(");
});

it("does not plan a migration into nowhere when a service's folder leads out of the project", async () => {
  const project = contractProject();
  await scaffold(project.root, ["generate"]);
  const elsewhere = temporaryProject().root;
  cpSync(join(project.root, "services/notes"), join(elsewhere, "notes"), { recursive: true });
  rmSync(join(project.root, "services/notes"), { recursive: true });
  symlinkSync(join(elsewhere, "notes"), join(project.root, "services/notes"));
  project.write(notesPath, notesProto.replace("string text = 2;", "string text = 2;\n  // Who.\n  string author = 3;"));
  const { code, stdout, stderr } = await scaffold(project.root, ["generate"]);
  expect(code).toBe(100);
  expect(stdout).toMatch(/0002_add_notes_author\.sql:1:1: GENERATED_CONFLICT: cannot be written: /);
  expect(stderr).toContain("next: settle the conflicts, then npx scaffold generate\n");
});

it("refuses two kinds of run at once", async () => {
  const { code, stderr } = await scaffold(contractProject().root, ["generate", "--diff", "--check"]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("--check and --diff are two runs: choose one")]);
});
