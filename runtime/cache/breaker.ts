/** A circuit breaker: after a few failures in a row it rejects calls, then lets one at a time through as a probe. */
export class Breaker {
  readonly #now: () => number;
  #failures = 0;
  #openUntil = 0;

  /** @param now a monotonic clock in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Runs `ask`. Returns undefined if it failed, or if the breaker is open. */
  async try<T>(ask: () => Promise<T>): Promise<T | undefined> {
    if (this.#failures >= FAILURES) {
      if (this.#now() < this.#openUntil) return undefined;
      // This call is the probe; the others are rejected meanwhile.
      this.#openUntil = this.#now() + PAUSE_MS;
    }
    try {
      const answer = await ask();
      this.#failures = 0;
      return answer;
    } catch {
      this.#failures++;
      if (this.#failures === FAILURES) this.#openUntil = this.#now() + PAUSE_MS;
      return undefined;
    }
  }
}

const FAILURES = 3;
const PAUSE_MS = 1000;
