import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type CliResult, scaffold } from "../testing/cli.js";
import { contractProject, notesPath } from "../testing/contract-project.js";
import type { TemporaryProject } from "../testing/project.js";
import { treeOf } from "../testing/tree.js";
import { typeCheck } from "../testing/type-check.js";

const handlers = "services/notes/notes.ts";

interface Outcome extends CliResult {
  /** "update notes_pb", and so on; without the manifest, which always changes. */
  readonly changes: string[];
  /** What the run ends with. */
  readonly end: string[];
}

/** Generates after an edit of the contract. Nothing that is the user's may change. */
async function generate(project: TemporaryProject): Promise<Outcome> {
  const users = () => treeOf(project.root, (path) => path.startsWith("generated"));
  const before = users();
  const result = await scaffold(project.root, ["generate"]);
  expect(users()).toMatchObject(before);
  const lines = result.stdout.trimEnd().split("\n");
  return {
    ...result,
    changes: lines
      .filter((line) => !line.endsWith("manifest.txt"))
      .map((line) => line.replace(/generated\/desk\/(notes\/v1\/)?|services\/notes\//, "").replace(/\.ts$/, "")),
    end: result.stderr.trimEnd().split("\n").slice(-2),
  };
}

/** What the compiler says of the generated code and of the services. */
function types({ root, read }: TemporaryProject): string[] {
  const paths = Object.keys(treeOf(root)).filter((path) => /^(generated|services)\/.*\.ts$/.test(path));
  return typeCheck(new Map(paths.map((path) => [path, read(path)!.replace("@desk/generated/", "../../generated/")])));
}

function edit(project: TemporaryProject, path: string, from: string | RegExp, to: string): void {
  const text = project.read(path)!;
  expect(text).toMatch(from);
  project.write(path, text.replace(from, to));
}

it("does what each change of a contract asks for, and nothing else", async () => {
  const settings = `"scripts": {"test": "vitest run"}, "scaffold": {"package": "@desk/generated"}`;
  const project = contractProject({ "package.json": `{"name": "desk", "type": "module", ${settings}}\n` });
  const first = await generate(project);
  expect(first.changes.slice(-4)).toEqual([
    "create main",
    "create migrations/0001_create_notes.json",
    "create migrations/0001_create_notes.sql",
    "create notes",
  ]);
  expect(first.end).toEqual([
    "17 written, 0 deleted, 0 conflicts, 0 unchanged",
    "next: npx scaffold check && npm test",
  ]);

  // A field, and a standard method: at once there, without code.
  edit(project, notesPath, "  string text = 2;", "  string text = 2;\n  // Who wrote it.\n  string author = 3;");
  const deleteNote = "  // Removes one note.\n  rpc DeleteNote(GetNoteRequest) returns (google.protobuf.Empty);\n\n";
  edit(project, notesPath, "  // Pins", `${deleteNote}  // Pins`);
  edit(project, notesPath, `import "google/api/field_behavior.proto";\n`, `$&import "google/protobuf/empty.proto";\n`);
  const field = await generate(project);
  expect(field.changes).toEqual([
    "update notes_codec",
    "update notes_pb",
    "update notes_policy",
    "update notes_routes",
    "update notes_schema",
    "update notes_service",
    "create migrations/0002_add_notes_author.json",
    "create migrations/0002_add_notes_author.sql",
  ]);
  expect(field.stderr).toBe("9 written, 0 deleted, 0 conflicts, 6 unchanged\nnext: npx scaffold check && npm test\n");

  // A method to be written by hand, and a message.
  const watchNote = "  // Watches one note.\n  rpc WatchNote(GetNoteRequest) returns (stream Note);\n\n";
  edit(project, notesPath, "  // Pins", `${watchNote}  // Pins`);
  edit(project, notesPath, /$/, "\n// A word that many notes share.\nmessage Tag {\n  // It.\n  string word = 1;\n}\n");
  const custom = await generate(project);
  expect(custom.changes).toEqual([
    "update notes_codec",
    "update notes_pb",
    "update notes_policy",
    "update notes_routes",
    "update notes_service",
  ]);
  expect(custom.stderr).toContain(
    `NoteService has a method that is not written yet: watchNote. To paste into ${handlers}:`,
  );
  expect(custom.end.at(-1)).toBe(`next: write what is missing in ${handlers}, then npx scaffold check && npm test`);
  expect(types(project)).toEqual([expect.stringMatching(`${handlers}:.* Property 'watchNote' is missing in type`)]);
  const stub = /To paste into .*:\n\n.*\n\n([\s\S]*?)\n\n\d+ written/.exec(custom.stderr)![1]!;
  edit(project, handlers, "  }),\n});", `\n${stub}\n  }),\n});`);

  // A field's name, under the same number, and a message's file.
  edit(project, notesPath, "string author = 3;", "string writer = 3;");
  const messages = /message PinNoteRequest \{[^}]*\}\n\nmessage PinNoteResponse \{\}\n/;
  const [pins] = messages.exec(project.read(notesPath)!)!;
  edit(project, notesPath, messages, "");
  edit(project, notesPath, `import "google/api/annotations.proto";\n`, `import "desk/notes/v1/pins.proto";\n$&`);
  project.write("proto/desk/notes/v1/pins.proto", `syntax = "proto3";\n\npackage desk.notes.v1;\n\n${pins}`);
  const moved = await generate(project);
  expect(moved.changes).toEqual([
    "update notes_codec",
    "update notes_pb",
    "update notes_schema",
    "update notes_service",
    "create pins_codec",
    "create pins_pb",
    "create migrations/0003_rename_notes_author_to_writer.json",
    "create migrations/0003_rename_notes_author_to_writer.sql",
  ]);
  expect(moved.end).toEqual(["9 written, 0 deleted, 0 conflicts, 8 unchanged", "next: npx scaffold check && npm test"]);
  expect(types(project)).toEqual([]);

  // One method less, and a service more: it starts with what a person would write first.
  edit(project, notesPath, / {2}\/\/ Watches one note.*\n.*\n\n/, "");
  project.write("proto/desk/tags/v1/tags.proto", tagsProto);
  const service = await generate(project);
  expect(service.changes).toEqual([
    "update notes_pb",
    "update notes_policy",
    "update notes_routes",
    "update notes_service",
    ...["browser", "client", "codec", "pb", "policy", "service"].map((name) => `create tags/v1/tags_${name}`),
    "update generated/system",
    "create services/tags/main",
    "create services/tags/tags",
  ]);
  expect(project.read("services/tags/tags.ts")).toContain("  async tag(requests, context) {\n");

  // A starter that was removed stays away; a service that is gone takes what was generated with it.
  rmSync(join(project.root, "services/tags"), { recursive: true });
  expect((await generate(project)).stdout).toBe("");
  rmSync(join(project.root, "proto/desk/tags"), { recursive: true });
  const gone = await generate(project);
  expect(gone.changes).toEqual([
    ...["browser", "client", "codec", "pb", "policy", "service"].map((name) => `delete tags/v1/tags_${name}`),
    "update generated/system",
  ]);
  expect(gone.end).toEqual(["2 written, 6 deleted, 0 conflicts, 13 unchanged", "next: npx scaffold check && npm test"]);
}, 240_000);

it("is told the same in JSON", async () => {
  const project = contractProject({ [handlers]: "export const notes = noteService({ handlers: () => ({}) });\n" });
  const { stdout } = await scaffold(project.root, ["generate", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({
    counts: { written: 16, deleted: 0, conflicts: 0, unchanged: 0 },
    missing: [
      { service: "NoteService", file: handlers, methods: ["pinNote"], stub: expect.stringContaining("async pinNote(") },
    ],
    next: `write what is missing in ${handlers}, then npx scaffold check`,
  });
}, 60_000);

it("says what to write instead of parts that are given by position", async () => {
  const old = 'import "./x.js";\n\nexport const notes = noteService((service) => ({}));\n';
  const project = contractProject({ [handlers]: old });
  const { stderr, stdout } = await scaffold(project.root, ["generate"]);
  expect(`${stdout}${stderr}`).toMatch(
    /^services\/notes\/\S+\.ts:3:22: SERVICE_PARTS: note: noteService takes its parts by name: write noteService\(\{ handlers: /m,
  );
}, 60_000);

const tagsProto = `syntax = "proto3";

package desk.tags.v1;

import "scaffold/v1/options.proto";

// Tags.
service TagService {
  option (scaffold.v1.service) = {};

  // Tags.
  rpc Tag(stream TagRequest) returns (TagResponse);
}

message TagRequest {}

message TagResponse {}
`;

it("starts a service whose methods start sagas with all that is to be written for them", async () => {
  const trip = (name: string) => readFileSync(new URL(`../testdata/trip/${name}.proto`, import.meta.url), "utf8");
  const project = contractProject({
    "proto/acme/trips/v1/trips.proto": trip("contract"),
    "proto/acme/hotels/v1/hotels.proto": trip("hotels"),
  });
  expect((await scaffold(project.root, ["generate"])).code).toBe(0);
  expect(project.read("services/trips/trips.ts")).toContain("Step book_room of BookTrip is not written yet");
  expect(types(project)).toEqual([]);
});
