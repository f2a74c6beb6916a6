import type { Limits } from "./limits.js";
import { startTimer, stopTimer, Timer } from "./timers.js";

/** The longest time that a handler is held back before its caller is refused, in milliseconds. */
const HOLD = 10_000;
/** The bytes that a peer must read under pressure … */
const PROGRESS = 64 * 1024;
/** … within so many milliseconds, or its queued data is dropped. */
const PATIENCE = 5_000;
/** The interval of the checks under pressure, in milliseconds. */
const CHECK = 1_000;
/** The number of handlers that start in one turn, of those that make a whole response before its length is known. */
const STARTS = 8;

/** The queued bytes of all connections of this process. */
let total = 0;
const waiting = new Set<Backlog>();
const holding = new Set<Backlog>();
const starting = new Set<Backlog>();
let isWaking = false;
let pressure = Number.POSITIVE_INFINITY;
const reaper = new Timer(dropStalled);

interface Held {
  readonly expected: number;
  readonly start: () => void;
  readonly timer: Timer | undefined;
}

/**
 * The bytes that one connection has queued, and the handlers that are held back because of them. Requests are short and
 * responses may be long: a peer that reads none could otherwise have any number of them made and kept.
 *
 * A connection may queue as much as its own limit allows, but no more than is left of the process's: the more connections
 * have something queued, the less each of them may.
 */
export class Backlog {
  bytes = 0;
  /** The bytes that running handlers are expected to add. */
  #expected = 0;
  readonly #held = new Set<Held>();
  #starts = 0;
  #moved = 0;
  #movedAt = 0;

  /** `drop` drops all queued data; `look` brings the count up to date. */
  constructor(
    private readonly limits: Limits,
    private readonly drop: () => void,
    private readonly look?: () => void,
  ) {}

  /**
   * Returns whether a handler has to be held back: too many bytes are queued or expected, or other handlers are held back.
   *
   * @param expected the likely length of its response, in bytes; 0: short
   */
  isFull(expected = 0): boolean {
    if (this.bytes === 0 && expected === 0 && this.#starts === 0 && this.#held.size === 0) return false;
    return this.#held.size > 0 || this.#hasNoRoom(expected);
  }

  #hasNoRoom(expected: number): boolean {
    const { bytes } = this;
    if (this.#starts >= STARTS) return true;
    if (bytes > 0 && this.#isAbove(this.limits.maxQueuedBytes)) return true;
    const others = bytes + this.#expected;
    return expected > 0 && others > 0 && others + expected > 4 * this.limits.maxQueuedBytes;
  }

  /** Counts a handler that starts: only so many may in one turn. */
  starts(): void {
    if (this.#starts++ > 0) return;
    starting.add(this);
    wakeLater();
  }

  /** Begins a new turn. */
  turn(): void {
    this.#starts = 0;
  }

  /** A handler starts whose response is likely to have so many bytes; negative: it has ended. */
  expect(bytes: number): void {
    this.#expected += bytes;
    if (bytes < 0 && holding.size > 0) wakeLater();
  }

  /** Whether a response has to be refused before it is encoded: handlers that started earlier can still fill a backlog. */
  get isOverfull(): boolean {
    return this.bytes > 0 && this.#isAbove(4 * this.limits.maxQueuedBytes);
  }

  /** Returns whether the process has room for so many more queued bytes. */
  takes(bytes: number): boolean {
    return total + bytes <= this.limits.maxQueuedBytesInAll;
  }

  #isAbove(bytes: number): boolean {
    return this.bytes > Math.min(bytes, this.limits.maxQueuedBytesInAll - total);
  }

  /** So many bytes have been queued. */
  add(bytes: number): void {
    if (this.bytes === 0) {
      waiting.add(this);
      this.#moved = 0;
      this.#movedAt = performance.now();
    }
    this.bytes += bytes;
    total += bytes;
    const { maxQueuedBytesInAll } = this.limits;
    if (total > maxQueuedBytesInAll / 2 && reaper.slot < 0) {
      pressure = maxQueuedBytesInAll / 2;
      startTimer(reaper, CHECK);
    }
  }

  /** So many queued bytes have been sent or dropped. */
  remove(bytes: number): void {
    this.bytes -= bytes;
    total -= bytes;
    if (this.bytes === 0) waiting.delete(this);
    else {
      this.#moved += bytes;
      if (this.#moved >= PROGRESS) {
        this.#moved = 0;
        this.#movedAt = performance.now();
      }
    }
    if (holding.size > 0) wakeLater();
  }

  /** Starts a handler once there is room, or calls `refuse` if that takes too long. Returns a function that forgets the handler. */
  hold(expected: number, start: () => void, refuse?: () => void): () => void {
    const held: Held = { expected, start, timer: refuse && new Timer(() => this.#forget(held) && refuse()) };
    if (held.timer !== undefined) startTimer(held.timer, HOLD);
    this.#held.add(held);
    holding.add(this);
    wakeLater();
    return () => this.#forget(held);
  }

  #forget(held: Held): boolean {
    if (held.timer !== undefined) stopTimer(held.timer);
    if (!this.#held.delete(held)) return false;
    if (this.#held.size === 0) holding.delete(this);
    return true;
  }

  /** Starts held handlers in their order, until the backlog is full again. */
  wake(): void {
    this.look?.();
    for (const held of this.#held) {
      if (this.#hasNoRoom(held.expected)) return;
      this.#forget(held);
      held.start();
    }
  }

  /** Drops queued data of which the peer has read next to nothing for a while. */
  dropIfStalled(now: number): void {
    if (now - this.#movedAt >= PATIENCE) this.drop();
  }
}

/** Wakes held handlers at the end of this turn, outside of the code that made room for them. */
function wakeLater(): void {
  if (isWaking) return;
  isWaking = true;
  setImmediate(() => {
    isWaking = false;
    for (const backlog of starting) backlog.turn();
    starting.clear();
    for (const backlog of holding) backlog.wake();
  });
}

/** Under pressure, drops the queued data of the peers that do not read it. */
function dropStalled(): void {
  const now = performance.now();
  for (const backlog of waiting) {
    if (total <= pressure) return;
    backlog.dropIfStalled(now);
  }
  if (total > pressure) startTimer(reaper, CHECK);
}
