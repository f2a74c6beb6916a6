/** The action of a run on one path. */
export type Action =
  | { readonly kind: "create"; readonly path: string; readonly owner: "tool" | "user"; readonly content: string }
  | { readonly kind: "update"; readonly path: string; readonly content: string; readonly before: string }
  | { readonly kind: "delete"; readonly path: string; readonly before: string }
  /** The file is up to date. `content` is the wanted text; the file may have other line ends. */
  | { readonly kind: "unchanged"; readonly path: string; readonly content: string }
  /** A starter that the user has, or has removed. */
  | { readonly kind: "keep"; readonly path: string; readonly present: boolean }
  /** The file is neither on disk nor wanted: its manifest entry is removed. */
  | { readonly kind: "forget"; readonly path: string }
  /** A file in the generated folder that the tool did not write. It is left alone. */
  | { readonly kind: "foreign"; readonly path: string }
  /** A file at this path has edits. `content` is the wanted text, undefined for a file that would be removed. */
  | {
      readonly kind: "conflict";
      readonly path: string;
      readonly content: string | undefined;
      /** The text on disk. Undefined: not a regular file. */
      readonly before: string | undefined;
      /** The conflict, and how to resolve it. */
      readonly message: string;
    };

/** An action that writes or removes a file. */
export type Change = Extract<Action, { kind: "create" | "update" | "delete" }>;

export function isChange(action: Action): action is Change {
  return action.kind === "create" || action.kind === "update" || action.kind === "delete";
}

export function isConflict(action: Action): action is Extract<Action, { kind: "conflict" }> {
  return action.kind === "conflict";
}
