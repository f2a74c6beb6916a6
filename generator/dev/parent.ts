import { readFile } from "node:fs/promises";
import { identify, isRunning, type ProcessIdentity } from "./pid.js";

const INTERVAL_MS = 500;

/**
 * Calls `gone` when npm, which started this process, is gone without a word, as by a SIGKILL: nobody would stop the system
 * then. npm starts scripts through a shell, so when our parent is one, its own parent is watched too. Does nothing if it
 * was not npm that started this process.
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
  // Only Linux says it without a program of its own; elsewhere the parent alone has to do.
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  const command = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const above = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  const npm = /^(ba|da|a|z|k)?sh$/.test(command) && above > 1 ? await identify(above) : undefined;
  return npm === undefined ? [parent] : [parent, npm];
}
