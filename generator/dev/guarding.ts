import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { identify, type ProcessIdentity } from "./pid.js";
import type { RunState } from "./state.js";

const RESTART_MS = 500;

/** The guard of a supervisor: see guard.ts. It is started again should it be killed. */
export class Guard {
  identity: ProcessIdentity | undefined;
  #child: ChildProcess | undefined;
  #released = false;

  /** `changed` is called when another process is the guard. */
  constructor(
    private readonly root: string,
    private readonly changed: () => void,
  ) {}

  async start(): Promise<void> {
    const source = import.meta.url.endsWith(".ts");
    const child = fork(fileURLToPath(new URL(source ? "./guard.ts" : "../guard.js", import.meta.url)), [this.root], {
      cwd: "/",
      // Not the terminal's: Ctrl-C is not for it.
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
    // One that could not be started has no exit.
    child.once("error", () => child.pid === undefined && again());
    // It is the guard all the same, if only this is not known of it.
    this.identity = child.pid === undefined ? undefined : await identify(child.pid).catch(() => undefined);
    this.changed();
  }

  /** Says what runs now: a file could be removed, or be a moment behind. */
  tell(state: RunState): void {
    // A guard that is just ending learns nothing any more, and the next one is told anew.
    if (this.#child?.connected) this.#child.send(state, () => {});
  }

  /** Lets the guard go. It ends what it knows to run, so that must be nothing by now. */
  async release(): Promise<void> {
    this.#released = true;
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    if (child.connected) child.disconnect();
    await gone;
  }
}
