import type { Hash } from "node:crypto";
import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { absent } from "../output/path.js";
import { byCodeUnit, hashOf } from "../output/text.js";

/** What is in a folder, and is no folder. */
export interface Found {
  readonly path: string;
  /** Whether it is a file and no link to one, or a pipe. */
  readonly isPlain: boolean;
}

/** The files in a folder and below, sorted by path. Folders `aside` are left out; links to folders are not followed. */
export function filesIn(root: string, folder: string, aside: (path: string) => boolean = isDependency): Found[] {
  const found: Found[] = [];
  const visit = (at: string) => {
    for (const entry of entries(join(root, at))) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (!entry.isDirectory()) found.push({ path, isPlain: entry.isFile() });
      else if (!aside(path)) visit(path);
    }
  };
  visit(folder);
  return found.sort((a, b) => byCodeUnit(a.path, b.path));
}

/** Adds a file's path and text to a digest. Through a link, another file's text would count as this one's: it has none. */
export function addFile(digest: Hash, root: string, { path, isPlain }: Found): void {
  digest.update(`${path} ${isPlain ? hashOf(readFileSync(join(root, path))) : "is no plain file"}\n`);
}

/** The same, for who reads through links. */
export function addFollowed(digest: Hash, root: string, { path, isPlain }: Found): void {
  const there = isPlain || statSync(join(root, path), { throwIfNoEntry: false })?.isFile() === true;
  addFile(digest, root, { path, isPlain: there });
}

/** Whether a folder is where npm puts what others wrote. */
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
