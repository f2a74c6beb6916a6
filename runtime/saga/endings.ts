import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../data/postgres/driver.js";
import { phase } from "./store.js";

/** How often the database is asked about a saga that another process executes, in milliseconds. */
const ASK_MS = 200;

/** Waits for sagas to end: those of this process are announced, the others are looked up. */
export class SagaEndings {
  readonly #db: Database;
  readonly #listeners = new Map<string, Set<() => void>>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** Wakes those who wait for a saga that has ended in this process. */
  announce(id: string): void {
    for (const listener of this.#listeners.get(id) ?? []) listener();
  }

  /** Returns true once a saga has ended or is gone, and false if the signal is aborted before. */
  async wait(id: string, signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      // Listen before asking: the saga may end in between.
      const { announced, stop } = this.#listen(id);
      try {
        const state = await phase(this.#db, id);
        if (state === undefined || state === "completed" || state === "compensated") return true;
        await Promise.race([announced, sleep(ASK_MS, undefined, { signal }).catch(() => undefined)]);
      } finally {
        stop();
      }
    }
    return false;
  }

  #listen(id: string): { readonly announced: Promise<void>; stop(): void } {
    let listener: () => void = () => undefined;
    const announced = new Promise<void>((resolve) => {
      listener = resolve;
    });
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    return {
      announced,
      stop: () => {
        listeners.delete(listener);
        if (listeners.size === 0) this.#listeners.delete(id);
      },
    };
  }
}
