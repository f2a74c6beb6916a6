import { BURST, PER_SECOND } from "./calm.js";
import { startTimer, Timer } from "./timers.js";

/** A call of one's own that nobody waits for any more. */
export interface GivenUp {
  /** Whether its stream has ended meanwhile, so that giving it up costs its peer nothing. */
  readonly isClosed: boolean;
  /** Resets its stream. Called once, when it is its turn. */
  reset(): void;
}

/** How much of what a peer of our own kind allows is used: other frames that lead to nothing need some as well. */
const SHARE = 0.75;
/** What a completed call makes up for: less than at the peer, which counts four. */
const EARNED = 3;
/** How long calls wait for their turn when nothing else happens, in milliseconds. */
const TURN = 40;

/**
 * Paces the resets of one connection, so that its peer never takes it for an attack and ends it (see Calm): the calls of many
 * callers share it, and some of them may give up any number of theirs. Resets beyond the peer's budget wait, first come
 * first served. A call that ends by itself meanwhile needs none.
 */
export class ResetPace {
  #budget = BURST * SHARE;
  #filledAt = performance.now();
  readonly #waiting = new Set<GivenUp>();
  readonly #timer = new Timer(() => this.#go());

  /** A call has been answered to its end. */
  completed(): void {
    this.#budget = Math.min(BURST * SHARE, this.#budget + EARNED);
    if (this.#waiting.size > 0) this.#go();
  }

  /** Resets the call's stream now, or in its turn. */
  giveUp(call: GivenUp): void {
    this.#waiting.add(call);
    this.#go();
  }

  #go(): void {
    const now = performance.now();
    this.#budget = Math.min(BURST * SHARE, this.#budget + ((now - this.#filledAt) / 1000) * PER_SECOND * SHARE);
    this.#filledAt = now;
    for (const call of this.#waiting) {
      if (!call.isClosed) {
        if (this.#budget < 1) break;
        this.#budget--;
      }
      this.#waiting.delete(call);
      call.reset();
    }
    if (this.#waiting.size > 0) startTimer(this.#timer, TURN);
  }
}
