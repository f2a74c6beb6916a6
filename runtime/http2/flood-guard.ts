/** How much of what leads nowhere a peer may send before it must have done something useful. */
export const BURST = 1_000;
/** How much of it comes back by the passing of time alone. */
export const PER_SECOND = 100;

/**
 * Bounds what a peer can make this side do for nothing: pings, settings, empty frames, window updates, streams that are
 * opened only to be reset (CVE-2019-9511 to 9518, CVE-2023-44487). Each costs a little of a budget that useful work,
 * such as a call that is answered, fills again. So no honest peer is bounded, however busy it is.
 */
export class Calm {
  #budget = BURST;
  #filledAt = performance.now();

  earn(amount: number): void {
    this.#budget = Math.min(BURST, this.#budget + amount);
  }

  /** Answers whether the peer could still afford that. */
  spend(amount: number): boolean {
    this.#budget -= amount;
    if (this.#budget >= 0) return true;
    const now = performance.now();
    this.earn(((now - this.#filledAt) / 1000) * PER_SECOND);
    this.#filledAt = now;
    return this.#budget >= 0;
  }
}
