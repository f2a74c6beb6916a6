/** Asks no more of something that fails: after a few failures in a row it is left alone, then tried by one at a time. */
export class Breaker {
  readonly #now: () => number;
  #failures = 0;
  #openUntil = 0;

  /** @param now milliseconds on a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Runs `ask`; undefined if it failed, or was not even tried. */
  async try<T>(ask: () => Promise<T>): Promise<T | undefined> {
    if (this.#failures >= FAILURES) {
      if (this.#now() < this.#openUntil) return undefined;
      // This one finds out; the others go on without.
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
