import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Returns the paths whose current text git has, so that overwriting them loses nothing: in its last commit, or, during a
 * merge, in the last commit of either side. Returns none without git, outside a repository, or before the first commit.
 */
export async function cleanInGit(root: string, paths: readonly string[]): Promise<Set<string>> {
  const clean = new Set<string>();
  // In batches: the length of a command line is limited.
  for (let start = 0; start < paths.length; start += 200) {
    const part = paths.slice(start, start + 200);
    try {
      const tracked = await list(root, ["ls-files", "-z", "--", ...part]);
      const changed = new Set(
        await list(root, [
          "diff",
          "--name-only",
          "-z",
          "--relative",
          "--no-ext-diff",
          "--no-renames",
          "HEAD",
          "--",
          ...part,
        ]),
      );
      // Format: "<mode> <object> <stage>\t<path>".
      const unmerged = await list(root, ["ls-files", "--unmerged", "-z", "--", ...part]);
      for (const path of tracked) if (!changed.has(path)) clean.add(path);
      for (const entry of unmerged) clean.add(entry.slice(entry.indexOf("\t") + 1));
    } catch {
      return new Set();
    }
  }
  return clean;
}

async function list(root: string, args: string[]): Promise<string[]> {
  const { stdout } = await run("git", ["--literal-pathspecs", ...args], { cwd: root, maxBuffer: 64 * 1024 * 1024 });
  return stdout.split("\0").filter((path) => path !== "");
}

/**
 * Returns the paths that git has in its last commit, or, during a merge, in that of either side. Returns undefined without git,
 * outside a repository, or before the first commit.
 */
export async function committed(root: string, paths: readonly string[]): Promise<Set<string> | undefined> {
  try {
    const found = await pathsIn(root, "HEAD", paths);
    const others = paths.filter((path) => !found.has(path));
    const merged = await pathsIn(root, "MERGE_HEAD", others).catch(() => []);
    return new Set([...found, ...merged]);
  } catch {
    return undefined;
  }
}

async function pathsIn(root: string, commit: string, paths: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (let start = 0; start < paths.length; start += 200) {
    const part = paths.slice(start, start + 200);
    for (const path of await list(root, ["ls-tree", "--name-only", "-z", commit, "--", ...part])) found.add(path);
  }
  return found;
}
