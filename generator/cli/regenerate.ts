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
  /** One JSON document in place of all else. */
  readonly json: boolean;
  /** Paths relative to the project's root. */
  readonly force: readonly string[];
  /** The rules that migrations may break. Default: none. */
  readonly allow?: readonly Allowable[];
  readonly errorFormat: ErrorFormat;
}

/** How a run went. */
export interface Regenerated {
  /** Something was in the way, and nothing was written. */
  readonly blocked: boolean;
  /** Methods are to be written by hand now: until they are, their services do not start. */
  readonly unwritten: boolean;
}

/** Generates, and says all that there is to say of it. */
export async function regenerate(
  settings: Settings,
  { mode, json, force, allow, errorFormat }: RegenerateOptions,
): Promise<Regenerated> {
  const result = await generate(settings, mode, { force, allow }).catch(refused);
  const ofFiles = mode === "check" ? drift(result.actions) : conflicts(result.actions);
  // Notes are for `scaffold lint`, except of code that does not compile any more.
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

/** A contract that does not compile, or a template that cannot be rendered, is findings, not a failure. */
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
