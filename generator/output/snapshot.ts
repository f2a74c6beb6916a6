import { type Dirent, lstatSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { absent, obstacleAbove } from "./path.js";
import { isTemporary } from "./replace.js";

/** What is at a path: a file with its text, or an obstacle, into which the tool does not write. */
export type OnDisk =
  | { readonly kind: "file"; readonly content: string }
  /** `replaceable`: the path itself is a link, which `--force` may replace. Its target stays untouched. */
  | { readonly kind: "obstacle"; readonly what: string; readonly replaceable: boolean };

/** The files on disk, by path. A missing path has no entry. */
export type Disk = ReadonlyMap<string, OnDisk>;

/**
 * Reads the given paths and the folder of generated files. Does not follow symbolic links. Reads one file after the other, as
 * they are written: for small files, an asynchronous call costs more than the read.
 */
export function snapshot(root: string, generated: string, paths: Iterable<string>): Disk {
  // The parents of a folder are checked once, not for each of its files.
  const above = new Map<string, string | undefined>();
  const disk = new Map<string, OnDisk>();
  for (const path of new Set([...paths, ...filesIn(root, generated)])) {
    const folder = dirname(path);
    if (!above.has(folder)) above.set(folder, obstacleAbove(root, path));
    const found = look(root, path, above.get(folder));
    if (found !== undefined) disk.set(path, found);
  }
  return disk;
}

function look(root: string, path: string, above: string | undefined): OnDisk | undefined {
  if (above !== undefined) return { kind: "obstacle", what: above, replaceable: false };
  const place = join(root, path);
  const there = lstatSync(place, { throwIfNoEntry: false });
  if (there === undefined) return undefined;
  if (there.isFile()) return { kind: "file", content: readFileSync(place, "utf8") };
  if (there.isSymbolicLink()) return { kind: "obstacle", what: "it is a symbolic link", replaceable: true };
  return { kind: "obstacle", what: there.isDirectory() ? "it is a folder" : "it is no plain file", replaceable: false };
}

function filesIn(root: string, folder: string): string[] {
  if (obstacleAbove(root, `${folder}/x`) !== undefined) return [];
  return entries(join(root, folder)).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (isTemporary(entry.name)) return [];
    if (!entry.isDirectory()) return [path];
    return entry.name === "node_modules" ? [] : filesIn(root, path);
  });
}

function entries(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    return absent(error as NodeJS.ErrnoException) ?? [];
  }
}
