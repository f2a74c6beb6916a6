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
  await writeFile(mine, JSON.stringify(me));
  try {
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

/** The process that has the lock and still runs. */
export async function lockHolder(path: string): Promise<ProcessIdentity | undefined> {
  try {
    const holder = JSON.parse(await readFile(path, "utf8")) as ProcessIdentity;
    return (await isRunning(holder)) ? holder : undefined;
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
    if (name.startsWith(prefix) && Number.isInteger(pid) && (await identify(pid)) === undefined) {
      await rm(join(dirname(path), name), { force: true });
    }
  }
}
