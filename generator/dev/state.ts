import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { ProcessIdentity } from "./pid.js";

/** The state of a process. `unhealthy`: it runs, but is not ready. */
export type ProcessState = "starting" | "healthy" | "unhealthy" | "restarting" | "stopping" | "stopped";

/** One process of a system. */
export interface ProcessRecord {
  readonly name: string;
  /** The identity of the process. Undefined: it does not run. */
  readonly process?: ProcessIdentity;
  readonly port: number;
  readonly state: ProcessState;
  /** When the process started, in milliseconds since 1970. */
  readonly since?: number;
}

/** The running processes of a project, as their supervisor last stored them. Other processes may have the pids now. */
export interface RunState {
  readonly supervisor: ProcessIdentity;
  /** The guard, which ends the others if the supervisor dies. */
  readonly guard?: ProcessIdentity;
  /** The system's public address, once it serves. */
  readonly url?: string;
  readonly balancer: ProcessRecord;
  /** Services and gateways. */
  readonly processes: readonly ProcessRecord[];
  readonly postgres?: ProcessRecord;
  /** The time limit of a process's drain. */
  readonly drainMs: number;
}

/**
 * Returns the stored state. Undefined: there is none, or the machine died before it was on the disk.
 *
 * @throws Error if it exists and cannot be read
 */
export async function readState(path: string): Promise<RunState | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
    return undefined;
  });
  try {
    return text === undefined ? undefined : (JSON.parse(text) as RunState);
  } catch {
    return undefined;
  }
}

/** Stores the state in a file: atomically, one change after the other. */
export class StateFile {
  #last: Promise<void> = Promise.resolve();
  #next: RunState | undefined;
  #removed = false;

  constructor(readonly path: string) {}

  /** Stores a state. Resolves once it, or a later one, is in the file. */
  write(state: RunState): Promise<void> {
    if (this.#removed) return this.#last;
    const waiting = this.#next !== undefined;
    this.#next = state;
    // A newer state replaces a waiting one.
    if (!waiting) this.#last = this.#last.then(() => this.#flush());
    return this.#last;
  }

  /** Removes the file. Later states are not stored. */
  async remove(): Promise<void> {
    this.#removed = true;
    await this.#last;
    await rm(this.path, { force: true });
  }

  async #flush(): Promise<void> {
    const text = JSON.stringify(this.#next, undefined, 2);
    this.#next = undefined;
    const part = `${this.path}.part`;
    try {
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
      await writeFile(part, `${text}\n`, { mode: 0o600 });
      await rename(part, this.path);
    } catch {
      // A full disk or a removed folder must not end the running processes. The next change tries again.
    }
  }
}
