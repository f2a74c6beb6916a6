import { type Dirent, lstatSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { absent, obstacleAbove } from "./path.js";
import { isTemporary } from "./replace.js";

/** What is at a path: a file with its text, or something that the tool will not write through. */
export type OnDisk =
  | { readonly kind: "file"; readonly content: string }
  /** `replaceable`: a link at the very place, which `--force` may replace; what it points to stays untouched. */
  | { readonly kind: "obstacle"; readonly what: string; readonly replaceable: boolean };

/** What is on disk, by path; a path that is missing is absent. */
export type Disk = ReadonlyMap<string, OnDisk>;

/**
 * Looks at the given paths, and at everything in the folder of generated files. Symbolic links are not followed. One file after
 * the other, here as where they are written: for small files, waiting for each costs more than it takes.
 */
export function snapshot(root: string, generated: string, paths: Iterable<string>): Disk {
  // The way down to a folder is looked at once, not for each of its files.
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
