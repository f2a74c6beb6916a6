import { formatPatch, structuredPatch } from "diff";
import type { Action } from "./action.js";
import { lf } from "./text.js";

/** Returns an action's change as a patch for `git apply`, or an empty text if it changes nothing. */
export function diff(action: Action): string {
  if (action.kind === "create") return patch(action.path, undefined, action.content);
  if (action.kind === "update") return patch(action.path, action.before, action.content);
  if (action.kind === "delete") return patch(action.path, action.before, undefined);
  if (action.kind === "conflict" && action.before !== undefined)
    return patch(action.path, action.before, action.content);
  return "";
}

function patch(path: string, before: string | undefined, after: string | undefined): string {
  const from = before === undefined ? "/dev/null" : `a/${path}`;
  const to = after === undefined ? "/dev/null" : `b/${path}`;
  const change = structuredPatch(from, to, lf(before ?? ""), lf(after ?? ""), undefined, undefined, { context: 3 });
  return formatPatch({ ...change, isGit: true, isCreate: before === undefined, isDelete: after === undefined });
}
