import { createHash } from "node:crypto";
import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * Returns a folder below /var/tmp that root owns and every user may enter, for files that another user must reach while the
 * project's path is closed to them. Unlike /tmp, /var/tmp survives a restart of the machine.
 *
 * Every user may write to /var/tmp, so an existing folder is used only if only root can have written into it.
 */
export async function sharedFolder(name: string): Promise<string> {
  const path = join("/var/tmp", name);
  await mkdir(path, { mode: 0o711 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const found = await lstat(path);
  if (!found.isDirectory() || found.uid !== 0 || (found.mode & 0o022) !== 0) {
    throw new Error(`${path} is not root's own folder, so it is not safe to use. Remove it, and start again`);
  }
  return path;
}

/** Returns the name of the folder for a project's data: the same on every start. */
export function sharedName(directory: string): string {
  return `protoscaffold-${createHash("sha256").update(directory).digest("hex").slice(0, 16)}`;
}
