/** A wanted file: its path, its content and its owner. */
export interface OutputFile {
  /** Relative to the project's root, with forward slashes. */
  readonly path: string;
  readonly content: string;
  /** `tool`: written whenever it differs. `user`: a starter, written once. */
  readonly owner: "tool" | "user";
  /**
   * For a starter: whether it is written again after its removal. True for files that something else needs, such as a
   * migration.
   */
  readonly recreate?: boolean;
}
