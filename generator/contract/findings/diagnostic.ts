/** A place in a file; line and column count from 1. */
export interface Place {
  /** Relative to the project's root. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Something a person should know about their contract: where, what, and the way out. */
export interface Diagnostic extends Place {
  /** A stable id: `ENTITY_KEY`. */
  readonly rule: string;
  /** What is wrong, and then the way out, in one or two sentences. */
  readonly message: string;
  /** An error stops generation; a note only says what the tool made of something. */
  readonly severity: "error" | "note";
  /** The place in the contract compared with, if the finding is about a declaration that was deleted from it. */
  readonly old?: Place;
}
