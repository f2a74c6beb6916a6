import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Diagnostic } from "../../contract/findings/diagnostic.js";
import type { GenerateResult, Mode } from "../../generate/result.js";
import { type Action, isConflict } from "../../output/action.js";
import type { MissingHandlers } from "../../scaffold/handlers.js";

/** The numbers of written, deleted and other files of a run. */
export interface Counts {
  readonly written: number;
  readonly deleted: number;
  readonly conflicts: number;
  readonly unchanged: number;
}

export function count(actions: readonly Action[]): Counts {
  const of = (...kinds: Action["kind"][]) => actions.filter(({ kind }) => kinds.includes(kind)).length;
  return {
    written: of("create", "update"),
    deleted: of("delete"),
    conflicts: of("conflict"),
    unchanged: of("unchanged"),
  };
}

/** Prints the end of a run on standard error: missing methods, a line of numbers, and the next step. */
export async function printOutcome(result: GenerateResult, mode: Mode, root: string): Promise<void> {
  const { missing, actions } = result;
  const lines = missing.flatMap(describe);
  lines.push(hasErrors(result) ? "nothing written: there are errors" : summary(countDone(actions, mode), mode));
  const next = await nextStep(result, mode, root);
  if (next !== undefined) lines.push(`next: ${next}`);
  process.stderr.write(`${lines.join("\n")}\n`);
}

/**
 * Prints the result as one JSON document, without texts of files.
 *
 * @param ofFiles findings about the files, in addition to those about the contract
 */
export async function printJson(
  result: GenerateResult,
  ofFiles: readonly Diagnostic[],
  mode: Mode,
  root: string,
): Promise<void> {
  const actions = result.actions.map((action) => ({
    kind: action.kind,
    path: action.path,
    ...(isConflict(action) ? { message: action.message } : {}),
  }));
  const diagnostics = [...result.diagnostics, ...ofFiles];
  const counts = countDone(result.actions, mode);
  const next = (await nextStep(result, mode, root)) ?? null;
  process.stdout.write(`${JSON.stringify({ diagnostics, actions, counts, missing: result.missing, next })}\n`);
}

/** With a conflict nothing is written. */
function countDone(actions: readonly Action[], mode: Mode): Counts {
  const counts = count(actions);
  return mode === "write" && counts.conflicts > 0 ? { ...counts, written: 0, deleted: 0 } : counts;
}

function summary({ written, deleted, conflicts, unchanged }: Counts, mode: Mode): string {
  const rest = `${conflicts} ${conflicts === 1 ? "conflict" : "conflicts"}, ${unchanged} unchanged`;
  if (mode === "check") return `${written + deleted} stale, ${rest}`;
  if (mode === "write") return `${written} written, ${deleted} deleted, ${rest}`;
  return `nothing written; it would be: ${written} written, ${deleted} deleted, ${rest}`;
}

async function nextStep(result: GenerateResult, mode: Mode, root: string): Promise<string | undefined> {
  if (hasErrors(result)) return "settle these, then npx scaffold generate";
  const { written, deleted } = count(result.actions);
  const conflicts = result.actions.filter(isConflict);
  const edit = conflicts.find(({ message }) => message.includes("--force"));
  if (edit !== undefined) return `settle the conflicts, or let an edit go: npx scaffold generate --force ${edit.path}`;
  if (conflicts.length > 0) return "settle the conflicts, then npx scaffold generate";
  const test = await testCommand(root);
  if (mode !== "write") return written + deleted > 0 ? "npx scaffold generate" : undefined;
  const [missing] = result.missing;
  if (missing !== undefined) {
    const files = [...new Set(result.missing.map(({ file }) => file))].join(" and ");
    return `write what is missing in ${files}, then ${test}`;
  }
  return written + deleted > 0 ? test : undefined;
}

/** Returns the missing methods, and a stub to paste. */
function describe({ service, consumes, file, methods, stub }: MissingHandlers): string[] {
  const noun = consumes ? "consumer" : "method";
  const what = methods.length === 1 ? `a ${noun} that is` : `${methods.length} ${noun}s that are`;
  const place = consumes ? `into consumers in ${file}` : `into ${file}`;
  return [
    `${service} has ${what} not written yet: ${methods.join(", ")}. To paste ${place}:`,
    "",
    ...(consumes ? [] : ['import { Code, ConnectError } from "@connectrpc/connect";', ""]),
    ...stub.split("\n"),
    "",
  ];
}

function hasErrors({ diagnostics }: GenerateResult): boolean {
  return diagnostics.some(({ severity }) => severity === "error");
}

async function testCommand(root: string): Promise<string> {
  const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    scripts?: { test?: string };
  };
  // Handwritten code may not compile any more: check names the places, while tests would only fail to start.
  return scripts?.test === undefined ? "npx scaffold check" : "npx scaffold check && npm test";
}
