import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { end } from "./end.js";
import { isServing } from "./health.js";
import { identify, type ProcessIdentity } from "./pid.js";
import type { ProcessRecord, ProcessState } from "./state.js";

/** The program and environment of a process. */
export interface ProcessPlan {
  readonly name: string;
  /** A JavaScript file. */
  readonly program: string;
  readonly port: number;
  readonly environment: NodeJS.ProcessEnv;
  /** The file that its output goes to. */
  readonly log: string;
  /** The time limit of its drain, after which it is killed. */
  readonly drainMs: number;
}

/** An event of a process after it was up. */
export type ProcessEvent =
  /** It died and was restarted. */
  | { readonly kind: "restarted"; readonly how: string; readonly ms: number }
  /** It died and could not be restarted yet. */
  | { readonly kind: "failing"; readonly how: string; readonly nextMs: number };

/** The interval of health checks in milliseconds, while a process starts and when it is up. */
const STARTING_MS = 40;
const RUNNING_MS = 1_000;
/** The uptime after which the restart delay is reset. */
const SETTLED_MS = 10_000;

/**
 * A supervised Node.js process: it is restarted when it dies, with back-off (0.1 s to 10 s). It has a session of its own, so that
 * Ctrl-C in a terminal does not reach it before its turn, and an IPC channel, by whose end it notices that the supervisor has
 * ended.
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
    /** Called whenever `record` changes. Resolves once the change is stored. */
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

  /** Drains it, and resolves when it has ended. Kills it after the time limit. It is not restarted. */
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

  /** Kills it and every process that it started. It is not restarted. */
  kill(): void {
    this.#stopping.abort();
    const child = this.#child;
    // Before its exit event, its pid cannot belong to another process.
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

  /** Identifies the process. Tries again if that fails, while the process runs. */
  async #identify(): Promise<void> {
    const { pid } = this.#child!;
    this.#identity = pid === undefined ? undefined : await identify(pid).catch(() => undefined);
  }

  /** Waits until the process serves. Returns the reason if it ended instead. */
  async #untilHealthy(): Promise<string | undefined> {
    let how: string | undefined;
    void this.#ended.then((said) => {
      how = said;
    });
    for (;;) {
      const serving = await isServing(this.plan.port, RUNNING_MS);
      // A response on the port of an ended process comes from another process.
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

  /** Checks its health until it ends. Returns the reason of its end. */
  async #watch(): Promise<string> {
    for (;;) {
      const how = await Promise.race([this.#ended, sleep(RUNNING_MS, undefined, { ref: false })]);
      if (how !== undefined) return how;
      if (this.#identity === undefined) await this.#identify();
      const serving = await isServing(this.plan.port, RUNNING_MS);
      // Its state did not change.
      if (serving === undefined) continue;
      // An unresponsive process may be at a breakpoint: it is not killed, and gets no new connections.
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
        // No file descriptor is left, or the disk is full.
        (error: Error) => error.message,
      );
      if (signal.aborted) return;
    }
    await this.#report({ kind: "restarted", how, ms: Math.round(performance.now() - died) });
  }

  /** Prints an event once the state is stored, so that `ps` agrees with it. */
  async #report(event: ProcessEvent): Promise<void> {
    await this.changed();
    this.report(event);
  }

  #set(state: ProcessState): void {
    // A stop takes precedence.
    const stopping = this.#state === "stopping" && state !== "stopped";
    if (this.#state === state || this.#state === "stopped" || stopping) return;
    this.#state = state;
    if (state === "stopped") this.#identity = this.#since = undefined;
    void this.changed();
  }
}

/** Returns the end of a log, for an error message. */
export async function lastWords(log: string): Promise<string> {
  const text = await readFile(log, "utf8").catch(() => "");
  const lines = text.trimEnd().split("\n").slice(-15);
  return `Its log, ${log}, ${text.trim() === "" ? "is empty" : `ends with:\n  ${lines.join("\n  ")}`}`;
}
