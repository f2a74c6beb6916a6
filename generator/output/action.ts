/** What a run does about one path. */
export type Action =
  | { readonly kind: "create"; readonly path: string; readonly owner: "tool" | "user"; readonly content: string }
  | { readonly kind: "update"; readonly path: string; readonly content: string; readonly before: string }
  | { readonly kind: "delete"; readonly path: string; readonly before: string }
  /** As it should be. `content` is what is wanted; on disk it may have other line ends. */
  | { readonly kind: "unchanged"; readonly path: string; readonly content: string }
  /** The user's, and there, or removed by them: left as it is. */
  | { readonly kind: "keep"; readonly path: string; readonly present: boolean }
  /** Neither on disk nor wanted any more: only the manifest forgets it. */
  | { readonly kind: "forget"; readonly path: string }
  /** In the tool's folder, but not the tool's: left as it is. */
  | { readonly kind: "foreign"; readonly path: string }
  /** Somebody else's work is at this path. `content` is what is wanted there, undefined for nothing. */
  | {
      readonly kind: "conflict";
      readonly path: string;
      readonly content: string | undefined;
      /** What is there; undefined if it is no plain file. */
      readonly before: string | undefined;
      /** What is in the way, and the way out. */
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
