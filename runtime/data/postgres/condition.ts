import { setTimeout as sleep } from "node:timers/promises";

/** A condition variable: all waiters are woken together when something changes, and check for themselves. */
export class Condition {
  readonly #waiting = new Set<() => void>();

  /** Resolves at the next change, or after the timeout in milliseconds. */
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

  /** Wakes all waiters. */
  tell(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
