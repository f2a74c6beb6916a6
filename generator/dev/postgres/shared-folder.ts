import { createHash } from "node:crypto";
import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * A folder below /var/tmp that root owns and that every user may pass, for what another user must reach while the
 * project's own path is closed to them. /var/tmp outlives a restart of the machine, /tmp need not.
 *
 * Anybody may write to /var/tmp, so a folder that is already there is used only if nobody but root can have put
 * anything into it.
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

/** The name of the folder for one project's data: the same on every start. */
export function sharedName(directory: string): string {
  return `protoscaffold-${createHash("sha256").update(directory).digest("hex").slice(0, 16)}`;
}
