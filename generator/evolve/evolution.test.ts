import { expect, it } from "vitest";
import { drift } from "../check/drift.js";
import { inspect } from "../check/inspect.js";
import type { Mode } from "../generate/result.js";
import { generate as run } from "../generate.js";
import { readSettings } from "../project/settings.js";
import { contractProject, notesPath, notesProto } from "../testing/contract-project.js";
import type { TemporaryProject } from "../testing/project.js";
import { treeOf } from "../testing/tree.js";
import { typeCheck } from "../testing/type-check.js";

const folder = "services/notes/events/desk.notes.note-pinned";
const first = ["string note_id = 1;", "int32 wall = 2;"];

/** A project whose service publishes an event with these fields, and consumes it, too. */
function project(...fields: readonly string[]): TemporaryProject {
  return contractProject({ [notesPath]: contract(...fields) });
}

function contract(...fields: readonly string[]): string {
  return `${notesProto
    .replace(`{entities: "Note"}`, `{entities: "Note" consumes: {event: "NotePinned"}}`)
    .replace(
      "returns (PinNoteResponse);",
      `returns (PinNoteResponse) { option (scaffold.v1.method) = {publishes: "NotePinned"}; }`,
    )}
// A note hangs on the wall.
message NotePinned {
  option (scaffold.v1.event) = {key: "note_id"};
  ${fields.join("\n  ")}
}

// How large something is.
message Size {
  int32 width = 1;
  int32 height = 2;
}
`;
}

/** What is found, as `rule: message`, and the versions of the event that there are then. */
async function generate({ root }: TemporaryProject, mode: Mode = "write", force: readonly string[] = []) {
  const { diagnostics, actions } = await run(await readSettings(root), mode, { force });
  const found = [...diagnostics, ...(mode === "check" ? drift(actions) : [])];
  const paths = Object.keys(treeOf(root)).filter((path) => path.startsWith(`${folder}/`) && !path.endsWith("/"));
  return {
    found: found.map(({ file, rule, message }) =>
      rule.startsWith("EVENT_") ? `${rule}: ${message}` : `${rule} ${file}`,
    ),
    versions: paths.map((path) => path.slice(folder.length + 1)).sort(),
  };
}

const versionOf = ({ read }: TemporaryProject) =>
  /version: "(.*)"/.exec(read("generated/desk/notes/v1/notes_events.ts") ?? "")?.[1];

it("records an event when it is first generated, and again when it is read otherwise", async () => {
  const desk = project(...first);
  expect(await generate(desk)).toEqual({ found: [], versions: ["1.0.json"] });
  desk.commit();
  const recorded = desk.read(`${folder}/1.0.json`);
  const { samples } = JSON.parse(recorded!) as { samples: Record<string, string> };
  expect(Object.keys(samples)).toEqual(["full 1", "full 2", "full 3", "empty"]);

  // A name is no part of the bytes.
  desk.write(notesPath, contract("string note_id = 1;", "int32 board = 2;"));
  expect(await generate(desk)).toEqual({ found: [], versions: ["1.0.json"] });
  expect(versionOf(desk)).toBe("1.0");

  desk.write(notesPath, contract(...first, "Size size = 3;"));
  expect(await generate(desk)).toEqual({ found: [], versions: ["1.0.json", "1.1.json"] });
  // What was never committed was never published: it is recorded anew.
  desk.write(notesPath, contract(...first, "Size size = 3;", "repeated string tags = 4;"));
  expect(await generate(desk)).toEqual({ found: [], versions: ["1.0.json", "1.1.json"] });
  expect(desk.read(`${folder}/1.1.json`)).toContain("tags");
  desk.write(notesPath, contract(...first));
  expect(await generate(desk)).toEqual({ found: [], versions: ["1.0.json"] });
  expect(desk.read(`${folder}/1.0.json`)).toBe(recorded);
  expect(await generate(desk, "check")).toMatchObject({ found: [] });
});

it("takes a removed field's number for no other", async () => {
  const desk = project(...first);
  await generate(desk);
  desk.commit();
  desk.write(notesPath, contract("string note_id = 1;"));
  expect(await generate(desk)).toEqual({ found: [], versions: ["1.0.json", "1.1.json"] });
  desk.commit();
  desk.write(notesPath, contract("string note_id = 1;", "int32 height = 2;"));
  expect(await generate(desk)).toEqual({
    found: [
      expect.stringMatching(
        /^EVENT_CHANGED: NotePinned cannot be read in its version 1 without an upcaster: .* fills height/,
      ),
    ],
    versions: ["1.0.json", "1.1.json", "2.0.json", "from-1.ts"],
  });
});

it.each([
  ["a field of another type", ["string note_id = 1;", "string wall = 2;"], "wall"],
  ["a field that goes while another comes", ["string note_id = 1;", "Size size = 3;"], "size"],
  ["fields that exclude each other now", ["oneof which { string note_id = 1; int32 wall = 2; }"], "which"],
])("starts what a person must say: %s", async (_, fields, hole) => {
  const desk = project(...first);
  await generate(desk);
  desk.commit();
  desk.write(notesPath, contract(...fields).replace(`{key: "note_id"}`, "{}"));
  const changed = expect.stringMatching(
    /^EVENT_CHANGED: NotePinned cannot be read in its version 1 without an upcaster/,
  );
  const { found } = await generate(desk, "check");
  expect(found).toEqual(expect.arrayContaining([changed, `GENERATED_STALE ${folder}/2.0.json`]));
  expect((await inspect(await readSettings(desk.root))).map(({ rule }) => rule)).toEqual(["EVENT_CHANGED"]);
  expect(await generate(desk)).toEqual({ found: [changed], versions: ["1.0.json", "2.0.json", "from-1.ts"] });
  expect(desk.read(`${folder}/from-1.ts`)).toContain(`  // ${hole}: …,\n`);
});

it("does not compile until that is said, and consumers know of it", async () => {
  const desk = project(...first);
  await generate(desk);
  desk.commit();
  desk.write(notesPath, contract("string note_id = 1;", "Size size = 3;"));
  await generate(desk);
  const starter = desk.read(`${folder}/from-1.ts`)!;
  expect(types(desk)).toEqual([
    expect.stringMatching(new RegExp(`^${folder}/from-1.ts:\\d+: TS2741: Property 'size' is missing`)),
    expect.stringMatching(/^services\/notes\/notes.ts:\d+: TS2345: [\s\S]*Property 'upcasters' is missing/),
  ]);
  desk.write(`${folder}/from-1.ts`, starter.replace("// size: …", "size: { width: Math.min(old.wall, 3), height: 1 }"));
  const handlers = desk.read("services/notes/notes.ts")!;
  const wired = handlers.replace(/\n\}\);\n$/, "\n  upcasters: { notePinnedFrom1 },\n});\n");
  desk.write(
    "services/notes/notes.ts",
    `import { notePinnedFrom1 } from "./events/desk.notes.note-pinned/from-1.js";\n${wired}`,
  );
  expect(types(desk)).toEqual([]);
});

it("starts a test of each consumer, where tests are run by vitest and there is none", async () => {
  const [without, desk, own] = [project(...first), project(...first), project(...first)];
  const path = "services/notes/events.test.ts";
  for (const { read, write } of [desk, own]) {
    write("package.json", JSON.stringify({ ...JSON.parse(read("package.json")!), devDependencies: { vitest: "*" } }));
  }
  own.write("services/all.test.ts", "// corpusFaults\n");
  for (const each of [without, desk, own]) await generate(each);
  expect([without.read(path), own.read(path)]).toEqual([undefined, undefined]);
  expect(desk.read(path)).toContain("expect(await corpusFaults(notes, new URL(");
  expect(await generate(desk, "check")).toMatchObject({ found: [] });
  expect(types(desk)).toEqual([]);
});

it("refuses versions that were changed or removed, unless they are let go", async () => {
  const desk = project(...first);
  await generate(desk);
  desk.commit();
  desk.write(notesPath, contract(...first, "Size size = 3;"));
  await generate(desk);
  desk.commit();
  const path = `${folder}/1.0.json`;
  const refused = async (text: string) => {
    const { found } = await generate(desk, "check");
    expect(found).toEqual([expect.stringContaining(`EVENT_CORPUS: ${path} ${text}`)]);
  };
  const recorded = desk.read(path)!;
  desk.write(path, recorded.replace("full 1", "full 0"));
  await refused("is not what was recorded");
  desk.write(path, "<<<<<<< ours\n");
  await refused("is not a version of an event");
  desk.git("rm", "--quiet", "--force", path);
  await refused("is gone");
  desk.commit();
  await refused("is gone");
  desk.write(path, recorded);
  desk.commit();
  expect(await generate(desk, "check")).toMatchObject({ found: [] });

  // The newest, by which nothing was published yet.
  desk.write(notesPath, contract(...first, "Size area = 4;"));
  expect(await generate(desk, "write", [`${folder}/1.1.json`])).toEqual({
    found: [],
    versions: ["1.0.json", "1.1.json"],
  });
  expect(desk.read(`${folder}/1.1.json`)).toContain("area");
});

it("does not let go of the versions of an event that is gone", async () => {
  const desk = project(...first);
  await generate(desk);
  desk.commit();
  desk.write(notesPath, contract(...first).replace(`{key: "note_id"}`, `{topic: "pinned"}`));
  const { found } = await generate(desk);
  expect(found).toEqual([
    expect.stringContaining(`EVENT_CORPUS: ${folder} holds versions of an event that NoteService does not publish.`),
  ]);
});

it("keeps what either side of a merge has recorded, and records what both mean together", async () => {
  const desk = project(...first);
  await generate(desk);
  desk.commit();
  desk.git("switch", "--quiet", "--create", "tags");
  desk.write(notesPath, contract(...first, "string tag = 5;"));
  await generate(desk);
  desk.commit();
  const tags = desk.read(`${folder}/1.1.json`);
  desk.git("switch", "--quiet", "main");
  desk.write("services/else.ts", "export {};\n");
  desk.commit();
  desk.git("merge", "--quiet", "--no-commit", "tags");
  desk.write(notesPath, contract(...first, "Size size = 3;", "string tag = 5;"));
  expect(await generate(desk)).toEqual({ found: [], versions: ["1.0.json", "1.1.json", "1.2.json"] });
  expect(desk.read(`${folder}/1.1.json`)).toBe(tags);
});

it("knows an event by its topic, whatever its message is called", async () => {
  const desk = project(...first);
  await generate(desk);
  desk.commit();
  const renamed = contract(...first).replaceAll("NotePinned", "NoteHung");
  desk.write(notesPath, renamed.replace(`{key: "note_id"}`, `{key: "note_id" topic: "desk.notes.note-pinned"}`));
  expect(await generate(desk)).toEqual({ found: [], versions: ["1.0.json", "1.1.json"] });
  expect(desk.read("generated/desk/notes/v1/notes_events.ts")).toContain(
    `version: "1.1",\n  formerNames: ["desk.notes.v1.NotePinned"],`,
  );
});

/** What TypeScript finds in the project. */
function types({ root, read }: TemporaryProject): string[] {
  const paths = Object.keys(treeOf(root)).filter((path) => /^(generated|services)\/.*\.ts$/.test(path));
  return typeCheck(
    new Map(
      paths.map((path) => {
        const up = "../".repeat(path.split("/").length - 1);
        return [path, read(path)!.replaceAll("@desk/generated/", `${up}generated/`)];
      }),
    ),
  );
}
