/** A file as it should be: where, what, and whose. */
export interface OutputFile {
  /** Relative to the project's root, with forward slashes. */
  readonly path: string;
  readonly content: string;
  /** `tool`: written anew whenever it differs. `user`: written once, and never again once it is theirs. */
  readonly owner: "tool" | "user";
  /**
   * Of a user's file: whether it is written again after they removed it. For what something else is incomplete without,
   * such as a migration; a starter that is gone is wanted no more.
   */
  readonly anew?: boolean;
}
