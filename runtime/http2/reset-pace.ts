import { startTimer, Timer } from "./timers.js";

/** A call of this side that its caller has given up. */
export interface AbandonedCall {
  /** Whether its stream has ended meanwhile, so that no reset is needed. */
  readonly isClosed: boolean;
  /** Resets its stream. Called once, in its turn. */
  reset(): void;
}

/**
 * The resets that a connection may have at once, and per second: three quarters of what the strictest server accepts.
 * nghttp2 (node:http2 and others) accepts 1,000 and 33 per second, and then ends the connection. The native server accepts
 * 1,000 and 100 per second (see FloodGuard), of which other frames need some as well.
 */
const BURST = 750;
const PER_SECOND = 25;
/** The number of waiting resets at which new calls go to another connection. */
const BEHIND = 50;
/** The interval in which waiting resets are looked at, in milliseconds. */
const TURN = 40;

/**
 * Paces the resets of one connection, so that its peer does not take it for an attacker: the calls of many callers share
 * it, and some callers may give up any number of theirs. Resets beyond the peer's budget wait in order. A call that ends
 * by itself meanwhile needs none.
 */
export class ResetPace {
  #budget = BURST;
  #filledAt = performance.now();
  readonly #waiting = new Set<AbandonedCall>();
  readonly #timer = new Timer(() => this.#go());

  /** Whether so many resets wait that new calls should use another connection. */
  get isBehind(): boolean {
    return this.#waiting.size >= BEHIND;
  }

  /** Resets the call's stream, now or in its turn. */
  giveUp(call: AbandonedCall): void {
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

/** Calls `done` once every call that waits in any of `paces` has been reset or has ended. */
export function afterResets(paces: Iterable<ResetPace>, done: () => void): void {
  let left = 1;
  const passed = () => {
    if (--left === 0) done();
  };
  for (const pace of paces) {
    left++;
    // It counts as a call that has ended: it costs nothing, and has its turn after the calls before it.
    pace.giveUp({ isClosed: true, reset: passed });
  }
  passed();
}
