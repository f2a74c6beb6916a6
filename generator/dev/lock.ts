import { link, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { identify, isRunning, type ProcessIdentity } from "./pid.js";

/**
 * Acquires a lock for this process: a file that names its holder. The lock of a dead process does not count. Returns the holder,
 * or undefined if this process has acquired it.
 */
export async function takeLock(path: string): Promise<ProcessIdentity | undefined> {
  const me = (await identify(process.pid))!;
  const mine = `${path}.${me.pid}`;
  try {
    await writeFile(mine, JSON.stringify(me), { mode: 0o600 });
    for (;;) {
      try {
        // Unlike a rename, a link never replaces an existing file.
        await link(mine, path);
        await sweep(path);
        return undefined;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const holder = await lockHolder(path);
      if (holder !== undefined) return holder;
      await breakLock(path, `${mine}.old`);
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/**
 * Returns the running process that holds the lock.
 *
 * @throws Error if the lock exists and cannot be read
 */
export async function lockHolder(path: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  });
  const holder = text === undefined ? undefined : parsed(text);
  return holder !== undefined && (await isRunning(holder)) ? holder : undefined;
}

/** Returns undefined for a lock that no running process holds: a lock gets its name when it is complete. */
function parsed(text: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(text) as ProcessIdentity;
  } catch {
    return undefined;
  }
}

/** Removes a dead process's lock. If another process was faster, and the lock is now that one's, restores it. */
async function breakLock(path: string, aside: string): Promise<void> {
  await rename(path, aside).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if ((await lockHolder(aside)) !== undefined) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/** Removes the files of processes that were killed while they acquired the lock. */
async function sweep(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    const pid = Number(name.slice(prefix.length).split(".")[0]);
    if (!name.startsWith(prefix) || !Number.isInteger(pid)) continue;
    // An unknown process's file stays for now.
    const owner = await identify(pid).catch(() => "unknown");
    if (owner === undefined) await rm(join(dirname(path), name), { force: true });
  }
}
