import { stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Whom a process is to run as, in Node's words for `spawn`. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** "nobody" on every system: owns nothing, may do nothing. */
const nobody: User = { uid: 65534, gid: 65534 };

/**
 * Whom PostgreSQL runs as, since it refuses to run as root: us, said as undefined, unless we are root. Then it is the one
 * who owns the data already, or else nobody.
 */
export async function serverUser(data: string): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(data).catch(() => undefined);
  return owner === undefined || owner.uid === 0 ? nobody : { uid: owner.uid, gid: owner.gid };
}

/**
 * The first folder on the way from the root to `path`, that one included, which `user` may not pass; undefined if the way
 * is open. What is not there yet is no hindrance.
 */
export async function closedFolder(path: string, user: User): Promise<string | undefined> {
  const above = dirname(path) === path ? undefined : await closedFolder(dirname(path), user);
  if (above !== undefined) return above;
  const found = await stat(path).catch(() => undefined);
  return found === undefined || may(user, found, 1) ? undefined : path;
}

/** Whether `user` may read the file or folder, once there. */
export async function isReadable(path: string, user: User): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && may(user, found, found.isDirectory() ? 5 : 4);
}

/** Permission bits as of one triple: 4 read, 2 write, 1 execute or pass. */
function may(user: User, file: { uid: number; gid: number; mode: number }, bits: number): boolean {
  const shift = file.uid === user.uid ? 6 : file.gid === user.gid ? 3 : 0;
  return ((file.mode >> shift) & bits) === bits;
}
