import type { Hash } from "node:crypto";
import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { absent } from "../output/path.js";
import { byCodeUnit, hashOf } from "../output/text.js";

/** An entry of a folder that is not a folder. */
export interface FileEntry {
  readonly path: string;
  /** Whether it is a regular file, not a link or a pipe. */
  readonly isPlain: boolean;
}

/** Returns the files in a folder, recursively, sorted by path. Skips folders for which `skip` is true, and does not follow links to folders. */
export function filesIn(root: string, folder: string, skip: (path: string) => boolean = isDependency): FileEntry[] {
  const found: FileEntry[] = [];
  const visit = (at: string) => {
    for (const entry of entries(join(root, at))) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (!entry.isDirectory()) found.push({ path, isPlain: entry.isFile() });
      else if (!skip(path)) visit(path);
    }
  };
  visit(folder);
  return found.sort((a, b) => byCodeUnit(a.path, b.path));
}

/** Adds a file's path and text to a digest. A link has no text: it would count another file's as its own. */
export function addFile(digest: Hash, root: string, { path, isPlain }: FileEntry): void {
  digest.update(`${path} ${isPlain ? hashOf(readFileSync(join(root, path))) : "is no plain file"}\n`);
}

/** The same, but reads the targets of links. */
export function addFollowed(digest: Hash, root: string, { path, isPlain }: FileEntry): void {
  const there = isPlain || statSync(join(root, path), { throwIfNoEntry: false })?.isFile() === true;
  addFile(digest, root, { path, isPlain: there });
}

/** Returns whether a folder contains npm packages. */
export function isDependency(folder: string): boolean {
  return folder === "node_modules" || folder.endsWith("/node_modules");
}

function entries(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    return absent(error as NodeJS.ErrnoException) ?? [];
  }
}
