import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { generate } from "../generate.js";
import { readSettings } from "../project/settings.js";
import { scaffold } from "../testing/cli.js";
import { contractProject, notesPath, notesProto } from "../testing/contract-project.js";
import { type TemporaryProject, temporaryProject } from "../testing/project.js";
import { treeOf } from "../testing/tree.js";

const killAt = fileURLToPath(new URL("../testing/kill-at.mjs", import.meta.url));
const changed = notesProto
  .replace("  rpc PinNote(", "  // Lists them.\n  rpc DropNote(GetNoteRequest) returns (Note);\n\n  rpc PinNote(")
  .replace("string text = 2;", "string text = 2;\n  // Who wrote it.\n  string author = 3;")
  .replace(/ {4}option \(google.api.http\).*\n/, "");

/** The same numbers at every run: which steps are tried out of all. */
function seeded(count: number, below: number, seed = 7): number[] {
  const numbers = new Set<number>();
  for (let state = seed; numbers.size < Math.min(count, below); ) {
    state = (state * 48_271) % 2_147_483_647;
    numbers.add(state % below);
  }
  return [...numbers];
}

it("generate, killed anywhere, is carried on by the next run: migrations too", async () => {
  const start = contractProject({ "services/notes/notes.ts": "export {};\n" });
  await write(start);
  start.write(notesPath, changed);
  const undisturbed = copy(start);
  const { stdout } = await killed(undisturbed, { KILL_COUNT: "1" });
  const expected = treeOf(undisturbed.root);
  expect(Object.keys(expected)).toContain("services/notes/migrations/0002_add_notes_author.sql");
  for (const at of seeded(4, Number(/steps (\d+)/.exec(stdout)![1]))) {
    const project = copy(start);
    expect((await killed(project, { KILL_AT: String(at) })).code, `step ${at}`).toBeNull();
    await write(project);
    expect(treeOf(project.root), `killed at step ${at}`).toEqual(expected);
  }
}, 120_000);

function killed(project: TemporaryProject, env: Record<string, string>) {
  return scaffold(project.root, ["generate"], {
    node: ["--import", killAt],
    env: { KILL_IN: project.root, ...env },
  });
}

async function write({ root }: TemporaryProject): Promise<void> {
  const { diagnostics } = await generate(await readSettings(root), "write");
  expect(diagnostics).toEqual([]);
}

function copy({ root }: TemporaryProject): TemporaryProject {
  const project = temporaryProject();
  cpSync(root, project.root, { recursive: true });
  return project;
}
