import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { assertReachable } from "./path.js";
import type { OutputPlace } from "./place.js";

const suffix = ".scaffold-part";

/** Folders that a run has checked (by path in the project) and created (by absolute path), so that it need not again. */
export type KnownFolders = Set<string>;

/**
 * Writes a file atomically: under a temporary name in the folder of generated files, then renamed to its place. Keeps its
 * permissions.
 */
export function replace(place: OutputPlace, path: string, content: string, known: KnownFolders = new Set()): void {
  const { root, generated } = place;
  const name = `.${randomBytes(6).toString("hex")}${suffix}`;
  once(known, generated, () => assertReachable(root, `${generated}/${name}`));
  once(known, dirname(path), () => assertReachable(root, path));
  const target = join(root, path);
  const mode = statSync(target, { throwIfNoEntry: false })?.mode;
  const write = (folder: string) => {
    once(known, folder, () => mkdirSync(folder, { recursive: true }));
    const part = join(folder, name);
    try {
      writeFileSync(part, content, mode === undefined ? {} : { mode });
      once(known, dirname(target), () => mkdirSync(dirname(target), { recursive: true }));
      renameSync(part, target);
    } catch (error) {
      rmSync(part, { force: true });
      throw error;
    }
  };
  try {
    write(join(root, generated));
  } catch (error) {
    // The folder of generated files is on another file system: write the temporary file beside its target.
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    write(dirname(target));
  }
}

function once(known: KnownFolders, folder: string, look: () => void): void {
  if (known.has(folder)) return;
  look();
  known.add(folder);
}

/** Returns whether a name is that of a temporary file. */
export function isTemporary(name: string): boolean {
  return name.startsWith(".") && name.endsWith(suffix);
}

/** Removes the temporary files of a killed run. Call it only while no other run writes. */
export function sweep({ root, generated }: OutputPlace): void {
  const folder = join(root, generated);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (isTemporary(name)) rmSync(join(folder, name), { force: true });
  }
}
