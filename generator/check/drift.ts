import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { type Action, isChange, isConflict } from "../output/action.js";

/** Returns the conflicts that prevent generation, as findings. */
export function conflicts(actions: readonly Action[]): Diagnostic[] {
  return actions.filter(isConflict).map(({ path, message }) => finding(path, "GENERATED_CONFLICT", message));
}

/** Returns the differences between the files on disk and the contract, conflicts included, as findings. */
export function drift(actions: readonly Action[]): Diagnostic[] {
  const stale = actions.filter(isChange).map(({ path, kind }) => {
    const what = { create: "is missing", update: "is not what the contract says", delete: "is no longer generated" }[
      kind
    ];
    return finding(path, "GENERATED_STALE", `The file ${what}. Run scaffold generate, and commit what it writes.`);
  });
  return [...stale, ...conflicts(actions)];
}

function finding(file: string, rule: string, message: string): Diagnostic {
  return { file, line: 1, column: 1, rule, message, severity: "error" };
}
