import type { Limits } from "./limits.js";
import { startTimer, stopTimer, Timer } from "./timers.js";

/** How long a handler may be held back, in milliseconds, before its caller is told to try again. */
const HOLD = 10_000;
/** Under pressure, a peer must take so many bytes … */
const PROGRESS = 64 * 1024;
/** … within so many milliseconds, or what waits for it is dropped. */
const PATIENCE = 5_000;
const CHECK = 1_000;
/** How many handlers start in one turn that make their whole answer before anybody can see how long it is. */
const STARTS = 8;

/** What all connections of this process keep together, in bytes. */
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
 * The bytes of one connection that wait to be sent, and the handlers that do not start because of them. Requests are
 * short and answers may be long, so a peer that takes none could otherwise have any number of them made and kept.
 *
 * A connection may keep as much as it likes up to its own bound, but no more than is left of the process's: the more
 * connections keep something, the less each of them may.
 */
export class Backlog {
  bytes = 0;
  /** What the handlers that run are expected to add to it. */
  #expected = 0;
  readonly #held = new Set<Held>();
  #starts = 0;
  #moved = 0;
  #movedAt = 0;

  /** `drop` lets go of all that waits; `look` sees to it that what is counted is what waits. */
  constructor(
    private readonly limits: Limits,
    private readonly drop: () => void,
    private readonly look?: () => void,
  ) {}

  /**
   * Whether a handler has to wait before it starts: too many bytes wait, or are on their way, or other handlers wait.
   *
   * @param expected how long its answer is likely to be, in bytes; 0: short
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

  /** A handler starts, of which only so many may in one turn. */
  starts(): void {
    if (this.#starts++ > 0) return;
    starting.add(this);
    wakeLater();
  }

  /** A new turn has begun. */
  turn(): void {
    this.#starts = 0;
  }

  /** A handler starts whose answer is likely to have so many bytes; or, if negative, it has ended. */
  expect(bytes: number): void {
    this.#expected += bytes;
    if (bytes < 0 && holding.size > 0) wakeLater();
  }

  /** Whether an answer has to be refused without even being encoded. Handlers that ran before can still fill a backlog. */
  get isOverfull(): boolean {
    return this.bytes > 0 && this.#isAbove(4 * this.limits.maxQueuedBytes);
  }

  /** Whether the process has room for so many bytes that have to wait. */
  takes(bytes: number): boolean {
    return total + bytes <= this.limits.maxQueuedBytesInAll;
  }

  #isAbove(bytes: number): boolean {
    return this.bytes > Math.min(bytes, this.limits.maxQueuedBytesInAll - total);
  }

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

  /** So many of them have been sent, or are no longer to be sent. */
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

  /** Starts a handler once there is room; `refuse` is called if that takes too long. Returns a function that forgets it. */
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

  /** Starts handlers, in the order in which they came, until the backlog is full again. */
  wake(): void {
    this.look?.();
    for (const held of this.#held) {
      if (this.#hasNoRoom(held.expected)) return;
      this.#forget(held);
      held.start();
    }
  }

  /** Drops what waits, if its peer has taken next to nothing of it for a while. */
  dropIfStalled(now: number): void {
    if (now - this.#movedAt >= PATIENCE) this.drop();
  }
}

/** Room may have come for those that are held: they start outside of whatever made it. */
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

/** While the process keeps much, those that do not take what waits for them lose it. */
function dropStalled(): void {
  const now = performance.now();
  for (const backlog of waiting) {
    if (total <= pressure) return;
    backlog.dropIfStalled(now);
  }
  if (total > pressure) startTimer(reaper, CHECK);
}
