import type { Diagnostic } from "../contract/findings/diagnostic.js";
import type { Allowable } from "../migrate/changes.js";
import type { Action } from "../output/action.js";
import type { MissingHandlers } from "../scaffold/handlers.js";

/** What a run is for: to write, or to say what it would write. */
export type Mode = "write" | "check" | "diff" | "dry-run";

export interface GenerateOptions {
  /** Files, and folders of files, in which edits may be written over. Default: none. */
  readonly force?: readonly string[];
  /** The rules that migrations may break this time. Default: none. */
  readonly allow?: readonly Allowable[];
}

export interface GenerateResult {
  /** What is to be said of the contract. With an error among it, nothing was planned and nothing written. */
  readonly diagnostics: readonly Diagnostic[];
  /** What was done, or in other modes than "write" would be. With a conflict among it, nothing was written. */
  readonly actions: readonly Action[];
  /** The methods that somebody has to write now. */
  readonly missing: readonly MissingHandlers[];
}
