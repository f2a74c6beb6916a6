import { rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Action, type Change, isChange, isConflict } from "./action.js";
import { type Manifest, manifestName, printManifest, type Remembered } from "./manifest.js";
import { assertReachable, obstacleAbove } from "./path.js";
import type { OutputPlace } from "./place.js";
import { type KnownFolders, replace, sweep } from "./replace.js";
import { hash } from "./text.js";

/**
 * Does what the actions say, each file at once or not at all. The manifest is written first, with what is there and what
 * will be, and trimmed last: a run that dies between is resumed by the next. With a conflict among the actions nothing is
 * written, and it throws. One run at a time: what another is writing would be swept away.
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
  // What goes, goes first: where names that differ only in case are one, it would take the new file with it.
  for (const { kind, path } of others) {
    if (kind === "delete") remove(place.root, path);
    // Of a file that is gone, a run that died may have left the folder.
    if (kind === "forget") removeEmptyFolders(place.root, path);
  }
  const known: KnownFolders = new Set();
  const writes = changes.filter(isWrite);
  for (const { path, content } of writes.filter(isTools)) replace(place, path, content, known);
  // Last, and in this order: with a migration, what it leads to is there before it.
  for (const { path, content } of writes.filter((write) => !isTools(write))) replace(place, path, content, known);
  if (others.length < actions.length) replace(place, manifestPath, printManifest(after, place.version));
}

/** The manifest once the actions are done. */
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

/** What holds at every moment in between. */
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

/** Removes the folders around a path that are empty without it. */
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
