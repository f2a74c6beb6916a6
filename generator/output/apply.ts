import { rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Action, type Change, isChange, isConflict } from "./action.js";
import { type Manifest, manifestName, printManifest, type Remembered } from "./manifest.js";
import { assertReachable, obstacleAbove } from "./path.js";
import type { OutputPlace } from "./place.js";
import { type KnownFolders, replace, sweep } from "./replace.js";
import { hash } from "./text.js";

/**
 * Executes actions. Each file is written atomically. The manifest is written first, with the current and the planned files, and
 * trimmed last: the next run resumes one that was killed. Throws, and writes nothing, if there is a conflict among the
 * actions. Only one run at a time: it removes the temporary files of others.
 */
export function apply(place: OutputPlace, manifest: Manifest, actions: readonly Action[]): void {
  const conflict = actions.find(isConflict);
  if (conflict !== undefined) throw new Error(`${conflict.path}: ${conflict.message}`);
  sweep(place);
  const manifestPath = `${place.generated}/${manifestName}`;
  const others = actions.filter(({ path }) => path !== manifestPath);
  const changes = others.filter(isChange);
  const after = remember(manifest, others);

  const during = printManifest(both(manifest, after), place.version);
  if (changes.length > 0 && during !== printManifest(manifest, place.version)) {
    replace(place, manifestPath, during);
  }
  // Delete first: on a file system that ignores case, a deletion could remove a new file.
  for (const { kind, path } of others) {
    if (kind === "delete") remove(place.root, path);
    // A killed run may have left the folder of a deleted file.
    if (kind === "forget") removeEmptyFolders(place.root, path);
  }
  const known: KnownFolders = new Set();
  const writes = changes.filter(isWrite);
  for (const { path, content } of writes.filter(isTools)) replace(place, path, content, known);
  // Write these last, and in this order: a migration's snapshot exists before the migration does.
  for (const { path, content } of writes.filter((write) => !isTools(write))) replace(place, path, content, known);
  if (others.length < actions.length) replace(place, manifestPath, printManifest(after, place.version));
}

/** Returns the manifest after the actions. */
export function remember(manifest: Manifest, actions: readonly Action[]): Manifest {
  const after = new Map<string, Remembered>(manifest);
  for (const action of actions) {
    if (action.kind === "delete" || action.kind === "forget") after.delete(action.path);
    else if (action.kind === "keep") after.set(action.path, "user");
    else if (action.kind === "create" && action.owner === "user") after.set(action.path, "user");
    else if (action.kind === "create" || action.kind === "update" || action.kind === "unchanged") {
      after.set(action.path, new Set([hash(action.content)]));
    }
  }
  return after;
}

/** Returns the manifest that is valid at every moment between. */
function both(before: Manifest, after: Manifest): Manifest {
  const all = new Map<string, Remembered>(before);
  for (const [path, what] of after) {
    const known = before.get(path);
    if (what !== "user") all.set(path, new Set([...(typeof known === "object" ? known : []), ...what]));
    else if (known !== "user") all.set(path, "new");
  }
  return all;
}

function isWrite(change: Change): change is Exclude<Change, { kind: "delete" }> {
  return change.kind !== "delete";
}

function isTools(write: Exclude<Change, { kind: "delete" }>): boolean {
  return write.kind === "update" || write.owner === "tool";
}

function remove(root: string, path: string): void {
  assertReachable(root, path);
  rmSync(join(root, path), { force: true });
  removeEmptyFolders(root, path);
}

/** Removes the parent folders of a path that are empty. */
function removeEmptyFolders(root: string, path: string): void {
  if (obstacleAbove(root, path) !== undefined) return;
  for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) {
    try {
      rmdirSync(join(root, folder));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") return;
    }
  }
}
