import { startTimer, Timer } from "./timers.js";

/** A call of one's own that nobody waits for any more. */
export interface GivenUp {
  /** Whether its stream has ended meanwhile, so that giving it up costs its peer nothing. */
  readonly isClosed: boolean;
  /** Resets its stream. Called once, when it is its turn. */
  reset(): void;
}

/**
 * How many resets a connection may have at once, and a second: three quarters of what the strictest server takes that calls
 * go to. nghttp2 (node:http2, and others) takes 1,000 and 33 a second, whatever else is done on the connection, and then ends
 * it; our own takes 1,000 and 100 a second (see FloodGuard), of which other frames need some as well.
 */
const BURST = 750;
const PER_SECOND = 25;
/** With so many calls that wait to be reset, a connection is left to them: new ones have another. */
const BEHIND = 50;
/** How long calls wait for their turn when nothing else happens, in milliseconds. */
const TURN = 40;

/**
 * Paces the resets of one connection, so that its peer never takes it for an attack and ends it: the calls of many
 * callers share it, and some of them may give up any number of theirs. Resets beyond the peer's budget wait, first come
 * first served. A call that ends by itself meanwhile needs none.
 */
export class ResetPace {
  #budget = BURST;
  #filledAt = performance.now();
  readonly #waiting = new Set<GivenUp>();
  readonly #timer = new Timer(() => this.#go());

  /** Whether so many resets wait that new calls should go elsewhere. */
  get isBehind(): boolean {
    return this.#waiting.size >= BEHIND;
  }

  /** Resets the call's stream now, or in its turn. */
  giveUp(call: GivenUp): void {
    this.#waiting.add(call);
    this.#go();
  }

  #go(): void {
    const now = performance.now();
    this.#budget = Math.min(BURST, this.#budget + ((now - this.#filledAt) / 1000) * PER_SECOND);
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

/** Calls `done` once all that waits in any of `paces` has been reset, or has ended. */
export function afterResets(paces: Iterable<ResetPace>, done: () => void): void {
  let left = 1;
  const passed = () => {
    if (--left === 0) done();
  };
  for (const pace of paces) {
    left++;
    // Like a call that has ended: it costs nothing, and has its turn after those before it.
    pace.giveUp({ isClosed: true, reset: passed });
  }
  passed();
}
