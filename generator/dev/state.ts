import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { ProcessIdentity } from "./pid.js";

/** How a process is. `unhealthy`: it runs, but does not answer that it serves. */
export type ProcessState = "starting" | "healthy" | "unhealthy" | "restarting" | "stopping" | "stopped";

/** One process of a system. */
export interface ProcessRecord {
  readonly name: string;
  /** Which process; undefined while none runs. */
  readonly process?: ProcessIdentity;
  readonly port: number;
  readonly state: ProcessState;
  /** When the process started, in milliseconds since 1970. */
  readonly since?: number;
}

/** What runs in a project, as its supervisor last wrote it down. Its pids may be others' by now. */
export interface RunState {
  readonly supervisor: ProcessIdentity;
  /** Ends the rest, should the supervisor be gone. */
  readonly guard?: ProcessIdentity;
  /** Where the system answers, once it does. */
  readonly url?: string;
  readonly balancer: ProcessRecord;
  /** Services and gateways. */
  readonly processes: readonly ProcessRecord[];
  readonly postgres?: ProcessRecord;
  /** How long a process may take to drain. */
  readonly drainMs: number;
}

/**
 * What was last written; undefined if nothing was, or if the machine died before it was on the disk.
 *
 * @throws Error if it is there and cannot be read
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

/** Keeps a file as the state is: written whole or not at all, one change after the other. */
export class StateFile {
  #last: Promise<void> = Promise.resolve();
  #next: RunState | undefined;
  #removed = false;

  constructor(readonly path: string) {}

  /** Resolves once this state, or a later one, is in the file. */
  write(state: RunState): Promise<void> {
    if (this.#removed) return this.#last;
    const waiting = this.#next !== undefined;
    this.#next = state;
    // A state that waits for its turn is replaced by a newer one.
    if (!waiting) this.#last = this.#last.then(() => this.#flush());
    return this.#last;
  }

  /** Removes the file, for good: later states are not written. */
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
      // A full disk, or a folder that is being removed: no reason for what runs to end. The next change tries again.
    }
  }
}
