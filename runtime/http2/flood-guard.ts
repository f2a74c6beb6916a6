import { ConnectionFault, ErrorCode } from "./errors.js";

/** The budget of a new connection, in frames that lead to nothing. */
const BURST = 1_000;
/** The part of the budget that comes back each second without useful work. */
const PER_SECOND = 100;

/**
 * Bounds the work that a peer can cause without a call getting anywhere: pings, settings, empty frames, window updates,
 * streams that are opened only to be reset (CVE-2019-9511 to 9518, CVE-2023-44487). Such frames spend a budget, and useful
 * work, such as a call that is answered, refills it: a well-behaved peer never runs out, however busy it is.
 */
export class FloodGuard {
  #budget = BURST;
  #refilledAt = performance.now();

  /** Refills the budget after useful work. */
  earn(amount: number): void {
    this.#budget = Math.min(BURST, this.#budget + amount);
  }

  /** Spends from the budget. Returns whether it was enough. */
  spend(amount: number): boolean {
    this.#budget -= amount;
    if (this.#budget >= 0) return true;
    const now = performance.now();
    this.earn(((now - this.#refilledAt) / 1000) * PER_SECOND);
    this.#refilledAt = now;
    return this.#budget >= 0;
  }

  /** Spends from the budget for a frame. Throws a ConnectionFault of ENHANCE_YOUR_CALM if it was not enough. */
  charge(amount = 1): void {
    if (this.spend(amount)) return;
    throw new ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that lead to nothing");
  }
}
