import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runFolderMode } from "../dev/folder.js";
import { takeLock } from "../dev/lock.js";

const POLL_MS = 50;
const PATIENCE_MS = 60_000;

/**
 * Runs a function that writes into a project while it holds the project's lock. Waits for another holder, a minute at most. The
 * lock is a file in the project's `.scaffold`, which git ignores. The lock of a killed process does not count.
 */
export async function exclusively<T>(root: string, run: () => Promise<T>): Promise<T> {
  const folder = join(root, ".scaffold");
  await mkdir(folder, { recursive: true, mode: runFolderMode() });
  await writeFile(join(folder, ".gitignore"), "*\n", { mode: 0o600 });
  const lock = join(folder, "generate.lock");
  for (let waited = 0; ; waited += POLL_MS) {
    const holder = await takeLock(lock);
    if (holder === undefined) break;
    if (waited >= PATIENCE_MS) {
      throw new Error(
        `another scaffold writes into ${root} (pid ${holder.pid}) and does not end. If it hangs: kill ${holder.pid}`,
      );
    }
    await sleep(POLL_MS);
  }
  try {
    return await run();
  } finally {
    await rm(lock, { force: true });
  }
}
