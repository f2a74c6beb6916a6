import { lstatSync, realpathSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";

/** Throws unless `path` is a relative path inside the project: forward slashes, no `..`. */
export function assertProjectPath(path: string): void {
  const parts = path.split("/");
  const plain = parts.every((part) => part !== "" && part !== "." && part !== ".." && !/[\\\p{Cc}]/u.test(part));
  if (!plain || /^[A-Za-z]:/.test(path)) {
    throw new Error(`"${path}" is not a path inside the project: write it relative to the root, with forward slashes`);
  }
}

/**
 * Returns the obstacle to writing `path`: a symbolic link out of the project, or a file in the place of a folder. Returns
 * undefined if there is none.
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

/** Returns the final target of a link, or an empty text if it has none. */
function targetOf(link: string): string {
  try {
    return realpathSync(link);
  } catch {
    return "";
  }
}

/** Throws if an obstacle has appeared since the disk was read. */
export function assertReachable(root: string, path: string): void {
  const obstacle = obstacleAbove(root, path);
  if (obstacle !== undefined) throw new Error(`${path} cannot be reached: ${obstacle}`);
}

/** For `catch`: returns undefined if the path does not exist, and rethrows other errors. */
export function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw error;
}
