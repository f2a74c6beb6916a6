import type { Diagnostic } from "../contract/findings/diagnostic.js";
import type { Allowable } from "../migrate/changes.js";
import type { Action } from "../output/action.js";
import type { MissingHandlers } from "../scaffold/handlers.js";

/** Whether a run writes files, or reports what it would write. */
export type Mode = "write" | "check" | "diff" | "dry-run";

export interface GenerateOptions {
  /** Files and folders in which edits may be overwritten. Default: none. */
  readonly force?: readonly string[];
  /** The rules that migrations may violate in this run. Default: none. */
  readonly allow?: readonly Allowable[];
}

export interface GenerateResult {
  /** Findings about the contract. With an error among them, nothing was planned or written. */
  readonly diagnostics: readonly Diagnostic[];
  /** The actions of this run, done in mode "write" only. With a conflict among them, nothing was written. */
  readonly actions: readonly Action[];
  /** The methods that still have to be written by hand. */
  readonly missing: readonly MissingHandlers[];
}
