import { readFile } from "node:fs/promises";
import { identify, isRunning, type ProcessIdentity } from "./pid.js";

const INTERVAL_MS = 500;

/**
 * Calls `gone` when npm, which started this process, has ended without a signal, for example by a SIGKILL: the system would keep
 * running. npm starts scripts through a shell, so if the parent is a shell, its own parent is watched too. Does nothing if npm
 * did not start this process.
 */
export async function watchParent(gone: () => void): Promise<void> {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const ancestors = await ancestorsOf(parent);
  const timer = setInterval(async () => {
    const there = process.ppid === parent && (await Promise.all(ancestors.map(isRunning))).every(Boolean);
    if (there) return;
    clearInterval(timer);
    gone();
  }, INTERVAL_MS).unref();
}

async function ancestorsOf(pid: number): Promise<ProcessIdentity[]> {
  const parent = await identify(pid);
  if (parent === undefined) return [];
  // Only Linux has it without another program. Elsewhere only the parent is watched.
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  const command = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const above = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  const npm = /^(ba|da|a|z|k)?sh$/.test(command) && above > 1 ? await identify(above) : undefined;
  return npm === undefined ? [parent] : [parent, npm];
}
