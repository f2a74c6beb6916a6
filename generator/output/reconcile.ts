import type { Action } from "./action.js";
import type { Manifest, Remembered } from "./manifest.js";
import type { OutputFile } from "./output-file.js";
import { assertProjectPath } from "./path.js";
import type { Disk, OnDisk } from "./snapshot.js";
import { byCodeUnit, hash, lf } from "./text.js";

export interface ReconcileOptions {
  /** Paths whose text git has in its last commit. */
  readonly clean: ReadonlySet<string>;
  /** Paths that `--force` names: edits are overwritten, and removed starters written again. Default: none. */
  readonly forced?: (path: string) => boolean;
  /** Whether starters that the user removed are written again. Default: no. */
  readonly recreate?: boolean;
  /** Paths that this run covers. Files outside are not removed. Default: all. */
  readonly part?: (path: string) => boolean;
}

/** Returns the action for each path, from the wanted files, the files on disk and the manifest. Sorted by path. */
export function reconcile(
  wanted: readonly OutputFile[],
  disk: Disk,
  manifest: Manifest,
  { clean, forced = () => false, part = () => true, recreate = false }: ReconcileOptions,
): Action[] {
  const actions = new Map<string, Action>();
  const names = new Map<string, string>();
  const remembered = new Map<string, string[]>();
  for (const path of manifest.keys()) remembered.set(folded(path), [...(remembered.get(folded(path)) ?? []), path]);
  for (const file of wanted) {
    const { path } = file;
    assertProjectPath(path);
    if (actions.has(path)) throw new Error(`${path} is wanted twice: two declarations share one file name`);
    const other = names.get(folded(path));
    names.set(folded(path), path);
    const there = disk.get(path);
    if (other !== undefined) {
      actions.set(path, { kind: "conflict", path, content: undefined, before: undefined, message: oneName(other) });
    } else if (file.owner === "user") {
      const removed = manifest.get(path) === "user" && !recreate && !file.recreate && !forced(path);
      actions.set(path, starter(file, there, removed));
    } else {
      const earlier = (remembered.get(folded(path)) ?? []).filter((name) => name !== path && part(name));
      const known = manifest.get(path) ?? earlierHashes(earlier, manifest);
      const action = toolFile(file, there, known, clean.has(path), forced(path));
      // If case is ignored, this is the file under its earlier name, which is removed and then written again.
      const goes = action.kind === "unchanged" && there?.kind === "file" && earlier.length > 0;
      actions.set(path, goes ? { kind: "update", path, content: file.content, before: there.content } : action);
    }
  }
  for (const [path, what] of manifest) {
    if (actions.has(path) || what === "user" || !part(path)) continue;
    if (what === "new") {
      // A killed run may or may not have written this file.
      actions.set(path, disk.has(path) ? { kind: "keep", path, present: true } : { kind: "forget", path });
      continue;
    }
    actions.set(path, unwanted(path, disk.get(path), what, forced(path)));
  }
  for (const path of disk.keys()) {
    if (!actions.has(path) && !manifest.has(path)) actions.set(path, { kind: "foreign", path });
  }
  return [...actions.values()].sort((a, b) => byCodeUnit(a.path, b.path));
}

/** Returns the paths whose action depends on whether git has them. */
export function contested(wanted: readonly OutputFile[], disk: Disk, manifest: Manifest): string[] {
  return reconcile(wanted, disk, manifest, { clean: new Set() }).flatMap((action) =>
    action.kind === "conflict" && action.before !== undefined && action.content !== undefined ? [action.path] : [],
  );
}

/** Returns the same key for paths that macOS and Windows treat as the same. */
function folded(path: string): string {
  return path.normalize("NFC").toLowerCase();
}

function oneName(other: string): string {
  return `differs from ${other} only in case, so that one of them is lost on macOS and Windows. Rename one of what they are made of`;
}

/** Returns the hashes of files that were written under names that differ only in case. */
function earlierHashes(paths: readonly string[], manifest: Manifest): Remembered | undefined {
  const hashes = paths.flatMap((path) => {
    const what = manifest.get(path);
    return what === undefined || typeof what === "string" ? [] : [...what];
  });
  return hashes.length === 0 ? undefined : new Set(hashes);
}

function starter({ path, content, recreate }: OutputFile, there: OnDisk | undefined, removed: boolean): Action {
  // A file that must exist is written if it is unknown whether it does.
  if (there?.kind === "obstacle" && recreate) {
    return {
      kind: "conflict",
      path,
      content,
      before: undefined,
      message: obstacle(path, { ...there, replaceable: false }),
    };
  }
  if (there !== undefined) return { kind: "keep", path, present: true };
  if (removed) return { kind: "keep", path, present: false };
  return { kind: "create", path, owner: "user", content };
}

function toolFile(
  { path, content }: OutputFile,
  there: OnDisk | undefined,
  known: Remembered | undefined,
  inGit: boolean,
  forced: boolean,
): Action {
  if (there === undefined) return { kind: "create", path, owner: "tool", content };
  if (there.kind === "obstacle") {
    if (there.replaceable && forced) return { kind: "create", path, owner: "tool", content };
    return { kind: "conflict", path, content, before: undefined, message: obstacle(path, there) };
  }
  const before = there.content;
  if (lf(before) === lf(content)) return { kind: "unchanged", path, content };
  const users = typeof known === "string";
  if (forced || (!users && (inGit || known?.has(hash(before))))) return { kind: "update", path, content, before };
  const message = users
    ? `yours, but now to be generated. Move it elsewhere, or let it go with --force ${path}`
    : `edited since scaffold wrote it, and not committed. Undo the edit, or let it go with --force ${path}`;
  return { kind: "conflict", path, content, before, message };
}

function unwanted(path: string, there: OnDisk | undefined, known: ReadonlySet<string>, forced: boolean): Action {
  if (there === undefined) return { kind: "forget", path };
  if (there.kind === "obstacle") return { kind: "forget", path };
  const before = there.content;
  if (forced || known.has(hash(before))) return { kind: "delete", path, before };
  const message = `no longer generated, but edited since. Move the edit elsewhere, or let it go with --force ${path}`;
  return { kind: "conflict", path, content: undefined, before, message };
}

function obstacle(path: string, there: Extract<OnDisk, { kind: "obstacle" }>): string {
  const wayOut = there.replaceable ? `Remove it, or replace it with --force ${path}` : "Remove it";
  return `cannot be written: ${there.what}. ${wayOut}`;
}
