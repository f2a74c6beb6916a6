/** A place in a file. Lines and columns are counted from 1. */
export interface Place {
  /** Relative to the project's root. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A finding about a contract: its place, what is wrong, and how to fix it. */
export interface Diagnostic extends Place {
  /** A stable id: `ENTITY_KEY`. */
  readonly rule: string;
  /** What is wrong, and then how to fix it, in one or two sentences. */
  readonly message: string;
  /** An error stops generation. A note only informs. */
  readonly severity: "error" | "note";
  /** The place in the contract compared with, if the finding is about a declaration that was deleted from it. */
  readonly old?: Place;
}
