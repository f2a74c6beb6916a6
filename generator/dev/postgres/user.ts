import { stat } from "node:fs/promises";
import { dirname } from "node:path";

/** The user that a process runs as, in the format of `spawn`. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** The user "nobody" of every system, without rights. */
const nobody: User = { uid: 65534, gid: 65534 };

/**
 * Returns the user that PostgreSQL runs as, because it refuses to run as root. Undefined: the current user, unless that is root.
 * For root: the owner of existing data, or else the user "nobody".
 */
export async function serverUser(data: string): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(data).catch(() => undefined);
  return owner === undefined || owner.uid === 0 ? nobody : { uid: owner.uid, gid: owner.gid };
}

/**
 * Returns the first folder from the root to `path`, including it, that `user` may not enter. Undefined: the path is accessible.
 * Missing folders do not count.
 */
export async function closedFolder(path: string, user: User): Promise<string | undefined> {
  const above = dirname(path) === path ? undefined : await closedFolder(dirname(path), user);
  if (above !== undefined) return above;
  const found = await stat(path).catch(() => undefined);
  return found === undefined || may(user, found, 1) ? undefined : path;
}

/** Returns whether `user` may read the file or folder itself. */
export async function isReadable(path: string, user: User): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && may(user, found, found.isDirectory() ? 5 : 4);
}

/** Returns the permission bits that apply: 4 read, 2 write, 1 execute or enter. */
function may(user: User, file: { uid: number; gid: number; mode: number }, bits: number): boolean {
  const shift = file.uid === user.uid ? 6 : file.gid === user.gid ? 3 : 0;
  return ((file.mode >> shift) & bits) === bits;
}
