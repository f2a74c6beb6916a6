import { lstat, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { absent, obstacleAbove } from "./path.js";
import { isTemporary } from "./replace.js";
import { mapSome } from "./some.js";

/** What is at a path: a file with its text, or something that the tool will not write through. */
export type OnDisk =
  | { readonly kind: "file"; readonly content: string }
  /** `replaceable`: a link at the very place, which `--force` may replace; what it points to stays untouched. */
  | { readonly kind: "obstacle"; readonly what: string; readonly replaceable: boolean };

/** What is on disk, by path; a path that is missing is absent. */
export type Disk = ReadonlyMap<string, OnDisk>;

/** Looks at the given paths, and at everything in the folder of generated files. Symbolic links are not followed. */
export async function snapshot(root: string, generated: string, paths: Iterable<string>): Promise<Disk> {
  const all = [...new Set([...paths, ...(await filesIn(root, generated))])];
  // The way down to a folder is looked at once, not for each of its files.
  const above = new Map<string, Promise<string | undefined>>();
  const found = await mapSome(all, (path) => {
    const folder = dirname(path);
    const obstacle = above.get(folder) ?? obstacleAbove(root, path);
    above.set(folder, obstacle);
    return look(root, path, obstacle);
  });
  return new Map(all.flatMap((path, index) => (found[index] === undefined ? [] : [[path, found[index]]])));
}

async function look(root: string, path: string, above: Promise<string | undefined>): Promise<OnDisk | undefined> {
  const obstacle = await above;
  if (obstacle !== undefined) return { kind: "obstacle", what: obstacle, replaceable: false };
  const place = join(root, path);
  const there = await lstat(place).catch(absent);
  if (there === undefined) return undefined;
  if (there.isFile()) return { kind: "file", content: await readFile(place, "utf8") };
  if (there.isSymbolicLink()) return { kind: "obstacle", what: "it is a symbolic link", replaceable: true };
  return { kind: "obstacle", what: there.isDirectory() ? "it is a folder" : "it is no plain file", replaceable: false };
}

async function filesIn(root: string, folder: string): Promise<string[]> {
  if ((await obstacleAbove(root, `${folder}/x`)) !== undefined) return [];
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(absent);
  const found: string[] = [];
  for (const entry of entries ?? []) {
    const path = `${folder}/${entry.name}`;
    if (isTemporary(entry.name)) continue;
    if (!entry.isDirectory()) found.push(path);
    else if (entry.name !== "node_modules") found.push(...(await filesIn(root, path)));
  }
  return found;
}
