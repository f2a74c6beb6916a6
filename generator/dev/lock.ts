import { link, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { identify, isRunning, type ProcessIdentity } from "./pid.js";

/**
 * Takes a lock for this process: a file that says whose it is. The lock of a process that is gone counts for nothing.
 * Answers undefined when it is taken, or else who has it.
 */
export async function takeLock(path: string): Promise<ProcessIdentity | undefined> {
  const me = (await identify(process.pid))!;
  const mine = `${path}.${me.pid}`;
  try {
    await writeFile(mine, JSON.stringify(me), { mode: 0o600 });
    for (;;) {
      try {
        // Unlike a rename, a link never replaces what is there.
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
 * The process that has the lock and still runs.
 *
 * @throws Error if the lock is there and cannot be read
 */
export async function lockHolder(path: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  });
  const holder = text === undefined ? undefined : parsed(text);
  return holder !== undefined && (await isRunning(holder)) ? holder : undefined;
}

/** Undefined for what no process that lives has left: a lock gets its name when it is whole. */
function parsed(text: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(text) as ProcessIdentity;
  } catch {
    return undefined;
  }
}

/** Moves a dead process' lock away. If another process was faster, and it is that one's lock now, it gets it back. */
async function breakLock(path: string, aside: string): Promise<void> {
  await rename(path, aside).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if ((await lockHolder(aside)) !== undefined) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/** Removes what processes left that were killed while they asked for the lock. */
async function sweep(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    const pid = Number(name.slice(prefix.length).split(".")[0]);
    if (!name.startsWith(prefix) || !Number.isInteger(pid)) continue;
    // What cannot be told stays until another time.
    const owner = await identify(pid).catch(() => "unknown");
    if (owner === undefined) await rm(join(dirname(path), name), { force: true });
  }
}
