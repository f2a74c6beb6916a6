import { conflicts, drift } from "../check/drift.js";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import type { GenerateResult, Mode } from "../generate/result.js";
import { generate } from "../generate.js";
import type { Allowable } from "../migrate/changes.js";
import type { Action } from "../output/action.js";
import type { Settings } from "../project/settings.js";
import { printChanges } from "./print/changes.js";
import { printJson, printOutcome } from "./print/outcome.js";
import { type ErrorFormat, hasErrors, report } from "./print/report.js";

export interface RegenerateOptions {
  readonly mode: Mode;
  /** Whether to print one JSON document instead of text. */
  readonly json: boolean;
  /** Paths relative to the project's root. */
  readonly force: readonly string[];
  /** The rules that migrations may violate. Default: none. */
  readonly allow?: readonly Allowable[];
  readonly errorFormat: ErrorFormat;
}

/** The result of a run. */
export interface Regenerated {
  /** Whether a conflict or an error prevented all writes. */
  readonly blocked: boolean;
  /** Whether methods still have to be written by hand. Until then their services do not start. */
  readonly unwritten: boolean;
}

/** Generates, and prints findings, actions and the summary. */
export async function regenerate(
  settings: Settings,
  { mode, json, force, allow, errorFormat }: RegenerateOptions,
): Promise<Regenerated> {
  const result = await generate(settings, mode, { force, allow }).catch(refused);
  const ofFiles = mode === "check" ? drift(result.actions) : conflicts(result.actions);
  // `scaffold lint` reports notes. Only those about code that does not compile any more are reported here.
  const said = result.diagnostics.filter(({ severity, rule }) => severity === "error" || rule === "SERVICE_PARTS");
  const findings = [...said, ...ofFiles];
  const blocked = hasErrors(findings);
  const outcome = { blocked, unwritten: result.missing.length > 0 };
  for (const path of force.filter(
    (path) => !result.actions.some((action) => isTools(action) && isAt(action.path, path)),
  )) {
    process.stderr.write(`--force ${path}: there is nothing of the tool's, so nothing to let go\n`);
  }
  if (json) {
    await printJson(result, ofFiles, mode, settings.root);
    if (blocked) process.exitCode = 100;
    return outcome;
  }
  await printChanges(result, { mode, blocked });
  report(findings, errorFormat);
  await printOutcome(result, mode, settings.root);
  return outcome;
}

/** Returns the findings of a contract that does not compile, or of a template that cannot be rendered. */
function refused(error: unknown): GenerateResult {
  if (!(error instanceof Error && "diagnostics" in error)) throw error;
  return { diagnostics: error.diagnostics as readonly Diagnostic[], actions: [], missing: [] };
}

function isTools(action: Action): boolean {
  return action.kind !== "keep" || !action.present;
}

function isAt(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}
