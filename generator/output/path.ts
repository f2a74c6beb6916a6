import { lstatSync, realpathSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";

/** Throws unless `path` is a plain way down from the project's root: forward slashes, no `..`, nothing absolute. */
export function assertProjectPath(path: string): void {
  const parts = path.split("/");
  const plain = parts.every((part) => part !== "" && part !== "." && part !== ".." && !/[\\\p{Cc}]/u.test(part));
  if (!plain || /^[A-Za-z]:/.test(path)) {
    throw new Error(`"${path}" is not a path inside the project: write it relative to the root, with forward slashes`);
  }
}

/**
 * What keeps the file at `path` from being written where it seems to be: a symbolic link that leads out of the project,
 * or a file where a folder is needed. Undefined if nothing does.
 */
export function obstacleAbove(root: string, path: string): string | undefined {
  const top = realpathSync(root);
  const parts = dirname(path).split("/");
  for (let depth = 1; depth <= parts.length; depth++) {
    const folder = parts.slice(0, depth).join("/");
    const place = join(root, folder);
    const there = lstatSync(place, { throwIfNoEntry: false });
    if (there === undefined) return undefined;
    if (there.isSymbolicLink()) {
      const way = relative(top, targetOf(place));
      if (way === ".." || way.startsWith(`..${sep}`)) return `${folder} is a symbolic link that leaves the project`;
    } else if (!there.isDirectory()) {
      return `${folder} is a file, where a folder is needed`;
    }
  }
  return undefined;
}

/** Where a link leads in the end; empty if nowhere. */
function targetOf(link: string): string {
  try {
    return realpathSync(link);
  } catch {
    return "";
  }
}

/** Throws if an obstacle has come up since the disk was looked at. */
export function assertReachable(root: string, path: string): void {
  const obstacle = obstacleAbove(root, path);
  if (obstacle !== undefined) throw new Error(`${path} cannot be reached: ${obstacle}`);
}

/** For `catch`: a path that does not exist is undefined, anything else is thrown on. */
export function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw error;
}
