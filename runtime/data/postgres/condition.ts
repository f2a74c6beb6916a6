import { setTimeout as sleep } from "node:timers/promises";

/** A condition variable: those who wait for something to change are woken together, and look for themselves. */
export class Condition {
  readonly #waiting = new Set<() => void>();

  /** Ends at the next change, or after so many milliseconds without one. */
  async change(timeoutMs: number): Promise<void> {
    const done = new AbortController();
    let wake: () => void = () => undefined;
    const changed = new Promise<void>((resolve) => {
      wake = resolve;
      this.#waiting.add(wake);
    });
    await Promise.race([changed, sleep(timeoutMs, undefined, { signal: done.signal }).catch(() => undefined)]);
    done.abort();
    this.#waiting.delete(wake);
  }

  /** Wakes all who wait. */
  tell(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
