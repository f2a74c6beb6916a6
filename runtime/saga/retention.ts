import type { Database } from "../data/postgres/driver.js";
import type { Logger } from "../observe/log.js";
import type { SagaMetrics } from "./metrics.js";
import { removeEnded } from "./store.js";

export interface RetentionOptions {
  readonly db: Database;
  /** How long ended sagas are kept, in milliseconds, by the full names of the methods that start them. */
  readonly retentionMs: ReadonlyMap<string, number>;
  readonly log: Logger;
  readonly metrics: SagaMetrics;
}

/** How often ended sagas are removed, in milliseconds. */
const INTERVAL_MS = 60_000;
/** The number of rows of one statement, so that none locks many rows for long. */
const BATCH = 500;

/** Removes sagas that ended longer ago than they are kept. */
export class SagaRetention {
  readonly #options: RetentionOptions;
  #timer: NodeJS.Timeout | undefined;
  #removing: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  start(): void {
    this.#remove();
    this.#timer = setInterval(() => this.#remove(), INTERVAL_MS).unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#removing;
  }

  #remove(): void {
    const { log } = this.#options;
    this.#removing ??= this.#removeAll()
      .catch((error: unknown) => log.debug({ err: error }, "ended sagas could not be removed; this is retried"))
      .finally(() => {
        this.#removing = undefined;
      });
  }

  async #removeAll(): Promise<void> {
    const { db, retentionMs, metrics } = this.#options;
    for (const [name, keptMs] of retentionMs) {
      for (let isFull = true; isFull && !this.#isClosed; ) {
        const removed = await removeEnded(db, name, keptMs, BATCH);
        metrics.removed.add(removed);
        isFull = removed === BATCH;
      }
    }
  }
}
