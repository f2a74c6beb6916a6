import { runApart } from "../call/active-call.js";
import { jittered } from "../call/backoff.js";
import type { Database } from "../data/postgres/driver.js";
import type { Logger } from "../observe/log.js";
import type { SagaExecutor } from "./executor.js";
import type { SagaMetrics } from "./metrics.js";
import { claim, counts, markUnknown } from "./store.js";

export interface PollerOptions {
  readonly db: Database;
  /** The sagas that the contract has, by the full names of the methods that start them. */
  readonly names: readonly string[];
  readonly leaseMs: number;
  readonly executor: SagaExecutor;
  readonly log: Logger;
  readonly metrics: SagaMetrics;
}

/** How often due sagas are looked for, in milliseconds. */
const POLL_MS = 500;
/** How often sagas are counted, in milliseconds. */
const COUNT_MS = 5000;

/** Finds sagas that are due, takes leases of them and hands them to the executor. */
export class SagaPoller {
  readonly #options: PollerOptions;
  #isOpen = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #polling: Promise<void> | undefined;
  /** Whether something became due during the poll that is under way. */
  #pollAgain = false;
  #hasFailed = false;
  #countedAt = Number.NEGATIVE_INFINITY;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isOpen = true;
    this.wake(0);
  }

  /** Ends once the poll under way has. */
  async close(): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    await this.#polling;
  }

  /** Polls in so many milliseconds at the latest. */
  wake(inMs: number): void {
    const at = performance.now() + inMs;
    if (!this.#isOpen || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    // A call may be what wakes the poller. The timer must not belong to it.
    this.#timer = runApart(() => setTimeout(() => this.#look(), inMs));
  }

  #look(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (this.#polling !== undefined) {
      this.#pollAgain = true;
      return;
    }
    this.#polling = this.#poll().finally(() => {
      this.#polling = undefined;
      this.wake(this.#pollAgain ? 0 : jittered(POLL_MS));
      this.#pollAgain = false;
    });
  }

  async #poll(): Promise<void> {
    const { db, names, leaseMs, executor, log } = this.#options;
    try {
      const { room } = executor;
      const rows = room > 0 ? await claim(db, names, room, leaseMs) : [];
      this.#hasFailed = false;
      for (const row of rows) executor.execute(row);
      if (room > 0 && rows.length === room) this.wake(0);
      await this.#count();
    } catch (error) {
      // The database is away for all sagas: one line is enough.
      if (!this.#hasFailed) log.warn({ err: error }, "sagas could not be looked for; this is retried");
      this.#hasFailed = true;
    }
  }

  /** Counts sagas, and reports those that no version of the contract has any more. */
  async #count(): Promise<void> {
    const { db, names, log, metrics } = this.#options;
    if (performance.now() - this.#countedAt < COUNT_MS) return;
    this.#countedAt = performance.now();
    for (const unknown of await markUnknown(db, names)) {
      log.error(unknown, "a saga is not executed: the contract no longer has it");
    }
    const { running, compensating, stuck } = await counts(db);
    metrics.unfinished.with({ state: "running" }).set(running);
    metrics.unfinished.with({ state: "compensating" }).set(compensating);
    metrics.stuck.set(stuck);
  }
}
