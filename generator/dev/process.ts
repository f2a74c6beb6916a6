import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { end } from "./end.js";
import { isServing } from "./health.js";
import { identify, type ProcessIdentity } from "./pid.js";
import type { ProcessRecord, ProcessState } from "./state.js";

/** What a process is to run, and with what. */
export interface ProcessPlan {
  readonly name: string;
  /** A JavaScript file. */
  readonly program: string;
  readonly port: number;
  readonly environment: NodeJS.ProcessEnv;
  /** The file that its output goes to. */
  readonly log: string;
  /** How long it may take to drain before it is killed. */
  readonly drainMs: number;
}

/** What happens to a process after it was up. */
export type ProcessEvent =
  /** It died, and is back. */
  | { readonly kind: "restarted"; readonly how: string; readonly ms: number }
  /** It died, and could not be brought back yet. */
  | { readonly kind: "failing"; readonly how: string; readonly nextMs: number };

/** Milliseconds between two questions for its health, while a process starts and when it is up. */
const STARTING_MS = 40;
const RUNNING_MS = 1_000;
/** A process that was up this long is not failing: the next restart is quick again. */
const SETTLED_MS = 10_000;

/**
 * A Node process that is kept running: started again when it dies, at once and then ever later (0.1 s to 10 s). It is in a
 * session of its own, so that Ctrl-C in a terminal does not reach it before its turn, and has an IPC channel, by whose end
 * it notices that this process is gone.
 */
export class SupervisedProcess {
  #child: ChildProcess | undefined;
  #ended: Promise<string> = Promise.resolve("never started");
  #identity: ProcessIdentity | undefined;
  #state: ProcessState = "starting";
  #since: number | undefined;
  /** The same, by `performance.now()`. */
  #startedAt = 0;
  #failures = 0;
  readonly #stopping = new AbortController();

  constructor(
    readonly plan: ProcessPlan,
    /** Called whenever `record` answers something else; resolves once that is written down. */
    private readonly changed: () => Promise<void>,
    private readonly report: (event: ProcessEvent) => void,
  ) {}

  get record(): ProcessRecord {
    const { name, port } = this.plan;
    return { name, process: this.#identity, port, state: this.#state, since: this.#since };
  }

  get healthy(): boolean {
    return this.#state === "healthy";
  }

  /** Starts it, and resolves once it is healthy. Rejects with the end of its log if it ends before. */
  async start(): Promise<void> {
    await rm(this.plan.log, { force: true });
    if (this.#stopping.signal.aborted) return this.#set("stopped");
    await this.#spawn();
    const how = await this.#untilHealthy();
    if (how !== undefined) {
      this.#set("stopped");
      throw new Error(`${this.plan.name} did not start (${how}). ${await lastWords(this.plan.log)}`);
    }
    void this.#keep();
  }

  /** Lets it drain, and resolves when it is gone; it is killed if it takes too long. Never started again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#child === undefined || this.#state === "stopped") return;
    this.#set("stopping");
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), this.plan.drainMs + 2_000);
    await this.#ended;
    clearTimeout(timer);
    this.#set("stopped");
  }

  /** Ends it this instant, and everything that it started. Never started again. */
  kill(): void {
    this.#stopping.abort();
    const child = this.#child;
    // Until its end was noticed, its pid cannot be another's.
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      child.kill("SIGKILL");
    }
  }

  async #spawn(): Promise<void> {
    const { program, environment, log } = this.plan;
    const output = openSync(log, "a", 0o600);
    try {
      this.#child = fork(program, [], {
        env: environment,
        detached: true,
        execArgv: ["--enable-source-maps"],
        stdio: ["ignore", output, output, "ipc"],
      });
    } finally {
      closeSync(output);
    }
    this.#ended = end(this.#child);
    this.#since = Date.now();
    this.#startedAt = performance.now();
    await this.#identify();
    void this.changed();
  }

  /** Finds out which process it is. Where that cannot be told it is tried again, and the process runs all the same. */
  async #identify(): Promise<void> {
    const { pid } = this.#child!;
    this.#identity = pid === undefined ? undefined : await identify(pid).catch(() => undefined);
  }

  /** Waits until the process serves; answers how it ended, if it did. */
  async #untilHealthy(): Promise<string | undefined> {
    let how: string | undefined;
    void this.#ended.then((said) => {
      how = said;
    });
    for (;;) {
      const serving = await isServing(this.plan.port, RUNNING_MS);
      // Whoever answers on the port of a process that is gone is another.
      if (how !== undefined) return how;
      if (this.#stopping.signal.aborted) return "it was stopped";
      if (serving) break;
      await Promise.race([sleep(STARTING_MS), this.#ended]);
    }
    this.#set("healthy");
    return undefined;
  }

  async #keep(): Promise<void> {
    for (;;) {
      const how = await this.#watch();
      if (this.#stopping.signal.aborted) return;
      if (performance.now() - this.#startedAt > SETTLED_MS) this.#failures = 0;
      await this.#restart(how);
      if (this.#stopping.signal.aborted) return;
    }
  }

  /** Keeps asking for its health; answers how it ended. */
  async #watch(): Promise<string> {
    for (;;) {
      const how = await Promise.race([this.#ended, sleep(RUNNING_MS, undefined, { ref: false })]);
      if (how !== undefined) return how;
      if (this.#identity === undefined) await this.#identify();
      const serving = await isServing(this.plan.port, RUNNING_MS);
      // It is as it was.
      if (serving === undefined) continue;
      // A process that does not answer may stand at a breakpoint: it is left alone, and gets no new connections.
      if (this.#state === "healthy" || this.#state === "unhealthy") this.#set(serving ? "healthy" : "unhealthy");
    }
  }

  async #restart(how: string): Promise<void> {
    const died = performance.now();
    const { signal } = this.#stopping;
    let last: string | undefined = how;
    for (let attempt = 0; last !== undefined; attempt++) {
      this.#identity = undefined;
      this.#since = undefined;
      this.#set("restarting");
      const nextMs = Math.min(100 * 2 ** this.#failures++, 10_000);
      if (attempt > 0) await this.#report({ kind: "failing", how: last, nextMs });
      await sleep(nextMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return this.#set("stopped");
      last = await this.#spawn().then(
        () => this.#untilHealthy(),
        // No descriptor is left, or no room for its log.
        (error: Error) => error.message,
      );
      if (signal.aborted) return;
    }
    await this.#report({ kind: "restarted", how, ms: Math.round(performance.now() - died) });
  }

  /** Says it once it is written down, so that `ps` agrees with what is said here. */
  async #report(event: ProcessEvent): Promise<void> {
    await this.changed();
    this.report(event);
  }

  #set(state: ProcessState): void {
    // Whoever stops it has the last word.
    const stopping = this.#state === "stopping" && state !== "stopped";
    if (this.#state === state || this.#state === "stopped" || stopping) return;
    this.#state = state;
    if (state === "stopped") this.#identity = this.#since = undefined;
    void this.changed();
  }
}

/** What a log ends with, for an error message. */
export async function lastWords(log: string): Promise<string> {
  const text = await readFile(log, "utf8").catch(() => "");
  const lines = text.trimEnd().split("\n").slice(-15);
  return `Its log, ${log}, ${text.trim() === "" ? "is empty" : `ends with:\n  ${lines.join("\n  ")}`}`;
}
