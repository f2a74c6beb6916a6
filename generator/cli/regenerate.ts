import { conflicts, drift } from "../drift.js";
import { generate, type Mode } from "../generate.js";
import type { Allowable } from "../migrate/changes.js";
import type { Settings } from "../settings.js";
import { printChanges } from "./changes.js";
import { printJson, printOutcome } from "./outcome.js";
import { type ErrorFormat, hasErrors, report } from "./report.js";

export interface RegenerateOptions {
  readonly mode: Mode;
  /** One JSON document in place of all else. */
  readonly json: boolean;
  /** Paths relative to the project's root. */
  readonly force: readonly string[];
  /** The rules that migrations may break. Default: none. */
  readonly allow?: readonly Allowable[];
  readonly errorFormat: ErrorFormat;
}

/** Generates, and says all that there is to say of it. Answers false when something is in the way. */
export async function regenerate(
  settings: Settings,
  { mode, json, force, allow, errorFormat }: RegenerateOptions,
): Promise<boolean> {
  const result = await generate(settings, mode, { force, allow });
  const ofFiles = mode === "check" ? drift(result.actions) : conflicts(result.actions);
  // Notes are for `scaffold lint`.
  const findings = [...result.diagnostics.filter(({ severity }) => severity === "error"), ...ofFiles];
  const blocked = hasErrors(findings);
  if (json) {
    const { diagnostics } = result;
    await printJson({ ...result, diagnostics: [...diagnostics, ...ofFiles] }, mode, settings.root);
    if (blocked) process.exitCode = 100;
    return !blocked;
  }
  await printChanges(result, { mode, blocked });
  report(findings, errorFormat);
  await printOutcome(result, mode, settings.root);
  return !blocked;
}
