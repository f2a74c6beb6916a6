import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/**
 * Identifies a process. A pid alone is not enough: the system reuses it after the process ends, and another process must not get
 * its signals.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** The start of the process, only for comparison. */
  readonly started: string;
}

/**
 * Returns the process that has this pid now. Undefined: none has, or it has ended and its parent has not waited for it yet.
 *
 * @throws Error if it cannot be determined, for example without free file descriptors
 */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  // This needs no file descriptor.
  if (!exists(pid)) return undefined;
  const started = process.platform === "linux" ? await startedOnLinux(pid) : await startedByPs(pid);
  return started === undefined ? undefined : { pid, started };
}

/** Returns whether the process runs. An undetermined one counts as running: reactions to its end cannot be undone. */
export async function isRunning(of: ProcessIdentity): Promise<boolean> {
  try {
    return (await identify(of.pid))?.started === of.started;
  } catch {
    return true;
  }
}

/**
 * Sends a signal if the pid still belongs to this process. Returns whether it does.
 *
 * @throws Error if it cannot be determined, or the signal is not allowed
 */
export async function signal(to: ProcessIdentity, name: NodeJS.Signals): Promise<boolean> {
  if ((await identify(to.pid))?.started !== to.started) return false;
  try {
    process.kill(to.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** Waits until the process has ended, at most `timeoutMs`. Returns whether it has. */
export async function ended(of: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (await isRunning(of)) {
    if (performance.now() >= deadline) return false;
    await sleep(20);
  }
  return true;
}

/** Fields 3 (state) and 22 (start, in ticks since boot) of proc(5)'s stat, and the boot's id: ticks restart with each boot. */
async function startedOnLinux(pid: number): Promise<string | undefined> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "latin1"),
      readFile("/proc/sys/kernel/random/boot_id", "latin1"),
    ]);
    // The second field is the command in parentheses, which may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : `${fields[19]}@${boot.trim()}`;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH" || !exists(pid)) return undefined;
    throw error;
  }
}

async function startedByPs(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      env: { ...process.env, LC_ALL: "C" },
    });
    const [state, ...started] = stdout.trim().split(/\s+/);
    return state === undefined || state.startsWith("Z") ? undefined : started.join(" ");
  } catch (error) {
    // ps ends with 1 if there is no such process.
    if ((error as { code?: unknown }).code === 1 || !exists(pid)) return undefined;
    throw error;
  }
}

/** Returns whether a process has this pid, even one that has ended and waits for its parent. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: a process of another user has it.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
