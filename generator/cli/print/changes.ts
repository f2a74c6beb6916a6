import pc from "picocolors";
import type { GenerateResult, Mode } from "../../generate/result.js";
import { type Action, isChange, isConflict } from "../../output/action.js";

export interface ChangesOptions {
  readonly mode: Mode;
  /** Whether findings prevented all writes. */
  readonly blocked: boolean;
}

/** Prints the actions of a run: names or patches on standard output, conflicts on standard error. */
export async function printChanges({ actions }: GenerateResult, { mode, blocked }: ChangesOptions): Promise<void> {
  const changes = actions.filter(isChange);
  const conflicts = mode === "check" ? [] : actions.filter(isConflict);
  if (mode === "diff") {
    process.stdout.write((await patchesOf(changes)).join(""));
  } else if (!blocked && mode !== "check") {
    for (const { kind, path } of changes) process.stdout.write(`${kind} ${path}\n`);
  }
  for (const patch of await patchesOf(conflicts)) if (patch !== "") process.stderr.write(excerpt(patch));
  const foreign = actions.filter(({ kind }) => kind === "foreign").map(({ path }) => path);
  if (foreign.length > 0) {
    process.stderr.write(`left alone, not the tool's: ${foreign.slice(0, 5).join(", ")}${more(foreign.length - 5)}\n`);
  }
}

/** The module that makes patches is loaded only when there are any: most runs have none. */
async function patchesOf(actions: readonly Action[]): Promise<string[]> {
  if (actions.length === 0) return [];
  const { diff } = await import("../../output/diff.js");
  return actions.map(diff);
}

function more(count: number): string {
  return count > 0 ? ` and ${count} more` : "";
}

/** Returns the start of a patch, in colour, for people. */
function excerpt(patch: string): string {
  const lines = patch.trimEnd().split("\n");
  const cut = lines.slice(0, 30).map((line) => (line.length > 160 ? `${line.slice(0, 160)}…` : line));
  const rest = lines.length > 30 ? [`… ${lines.length - 30} more lines`] : [];
  return [...cut.map(paint), ...rest].map((line) => `${line}\n`).join("");
}

function paint(line: string): string {
  if (line.startsWith("+")) return pc.green(line);
  if (line.startsWith("-")) return pc.red(line);
  return line.startsWith("@") ? pc.cyan(line) : line;
}
