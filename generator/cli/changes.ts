import pc from "picocolors";
import type { GenerateResult, Mode } from "../generate.js";
import { isChange, isConflict } from "../output/action.js";
import { diff as patchOf } from "../output/diff.js";

export interface ChangesOptions {
  readonly mode: Mode;
  /** Whether findings kept anything from being written. */
  readonly blocked: boolean;
}

/** Prints what a run did, or would do: names or patches on standard output, what is in its way on standard error. */
export function printChanges({ actions }: GenerateResult, { mode, blocked }: ChangesOptions): void {
  const changes = actions.filter(isChange);
  if (mode === "diff") {
    process.stdout.write(changes.map(patchOf).join(""));
  } else if (!blocked && mode !== "check") {
    for (const { kind, path } of changes) process.stdout.write(`${kind} ${path}\n`);
  }
  if (mode !== "check") {
    for (const conflict of actions.filter(isConflict)) process.stderr.write(excerpt(patchOf(conflict)));
  }
  const foreign = actions.filter(({ kind }) => kind === "foreign").map(({ path }) => path);
  if (foreign.length > 0) {
    process.stderr.write(`left alone, not the tool's: ${foreign.slice(0, 5).join(", ")}${more(foreign.length - 5)}\n`);
  }
}

function more(count: number): string {
  return count > 0 ? ` and ${count} more` : "";
}

/** The start of a patch, in colour, to read rather than to apply. */
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
