import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { absent, assertReachable } from "./path.js";
import type { OutputPlace } from "./place.js";

const suffix = ".scaffold-part";

/** Folders that one run has looked at (by path in the project) and made (by absolute path), so as not to do it again. */
export type KnownFolders = Map<string, Promise<unknown>>;

/**
 * Writes a file whole or not at all: in the folder of generated files under a name of no meaning, then renamed to where it
 * belongs. Its permissions stay as they are.
 */
export async function replace(
  place: OutputPlace,
  path: string,
  content: string,
  known: KnownFolders = new Map(),
): Promise<void> {
  const { root, generated } = place;
  const name = `.${randomBytes(6).toString("hex")}${suffix}`;
  await once(known, generated, () => assertReachable(root, `${generated}/${name}`));
  await once(known, dirname(path), () => assertReachable(root, path));
  const target = join(root, path);
  const mode = (await stat(target).catch(absent))?.mode;
  const write = async (folder: string) => {
    await once(known, folder, () => mkdir(folder, { recursive: true }));
    const part = join(folder, name);
    try {
      await writeFile(part, content, mode === undefined ? {} : { mode });
      await once(known, dirname(target), () => mkdir(dirname(target), { recursive: true }));
      await rename(part, target);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  };
  try {
    await write(join(root, generated));
  } catch (error) {
    // The folder of generated files is on a file system of its own: the part is written beside its place.
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    await write(dirname(target));
  }
}

function once(known: KnownFolders, folder: string, look: () => Promise<unknown>): Promise<unknown> {
  const looked = known.get(folder) ?? look();
  known.set(folder, looked);
  return looked;
}

/** Whether a name is that of a file which is being written, or whose writer died. */
export function isTemporary(name: string): boolean {
  return name.startsWith(".") && name.endsWith(suffix);
}

/** Removes what a killed run was writing. Only for a run that is alone. */
export async function sweep({ root, generated }: OutputPlace): Promise<void> {
  const folder = join(root, generated);
  for (const name of (await readdir(folder).catch(absent)) ?? []) {
    if (isTemporary(name)) await rm(join(folder, name), { force: true });
  }
}
