import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { identify, type ProcessIdentity } from "./pid.js";
import type { RunState } from "./state.js";

const RESTART_MS = 500;

/** The guard of a supervisor: see guard.ts. It is restarted if it is killed. */
export class Guard {
  identity: ProcessIdentity | undefined;
  #child: ChildProcess | undefined;
  #released = false;

  /** `changed` is called when a new process becomes the guard. */
  constructor(
    private readonly root: string,
    private readonly changed: () => void,
  ) {}

  async start(): Promise<void> {
    const source = import.meta.url.endsWith(".ts");
    const child = fork(fileURLToPath(new URL(source ? "./guard.ts" : "../guard.js", import.meta.url)), [this.root], {
      cwd: "/",
      // A session of its own: Ctrl-C must not reach it.
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      // In a checkout it runs from its source.
      execArgv: source ? ["--import", import.meta.resolve("tsx")] : [],
    });
    this.#child = child;
    const again = () => {
      this.identity = undefined;
      if (!this.#released) setTimeout(() => !this.#released && void this.start(), RESTART_MS).unref();
    };
    child.once("exit", again);
    // A process that could not be started has no exit event.
    child.once("error", () => child.pid === undefined && again());
    // It is the guard even if its identity is unknown.
    this.identity = child.pid === undefined ? undefined : await identify(child.pid).catch(() => undefined);
    this.changed();
  }

  /** Sends the running processes to the guard: a file could be removed or out of date. */
  tell(state: RunState): void {
    // A guard that is ending ignores this; the next one gets the state again.
    if (this.#child?.connected) this.#child.send(state, () => {});
  }

  /** Ends the guard. It stops the processes that it knows, so they must have ended already. */
  async release(): Promise<void> {
    this.#released = true;
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    if (child.connected) child.disconnect();
    await gone;
  }
}
