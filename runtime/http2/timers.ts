/** How coarse timers are, in milliseconds. */
const TICK = 8;
const SLOTS = 1024;

/** Something that is to happen later. Kept by whoever starts it, so that it can be stopped. */
export class Timer {
  /** In which list of the wheel it is; undefined while it does not run. */
  next: Timer | undefined;
  previous: Timer | undefined;
  at = 0;
  slot = -1;

  constructor(readonly fire: () => void) {}
}

/**
 * Timers that cost next to nothing to start and to stop, for deadlines, which almost never pass: a wheel of lists, turned
 * by one interval of Node.js for as long as there is any. A timer fires up to 16 ms late, and never early.
 */
const slots = new Array<Timer | undefined>(SLOTS).fill(undefined);
let running = 0;
let turned = 0;
let interval: NodeJS.Timeout | undefined;

/** Starts a timer, or starts it anew. It does not keep the process alive. */
export function startTimer(timer: Timer, milliseconds: number): void {
  stopTimer(timer);
  const now = performance.now();
  if (interval === undefined) {
    turned = Math.floor(now / TICK);
    interval = setInterval(turn, TICK).unref();
  }
  timer.at = now + Math.max(0, milliseconds);
  const slot = Math.max(turned + 1, Math.ceil(timer.at / TICK)) % SLOTS;
  const head = slots[slot];
  timer.slot = slot;
  timer.next = head;
  timer.previous = undefined;
  if (head !== undefined) head.previous = timer;
  slots[slot] = timer;
  running++;
}

export function stopTimer(timer: Timer): void {
  if (timer.slot < 0) return;
  if (timer.previous === undefined) slots[timer.slot] = timer.next;
  else timer.previous.next = timer.next;
  if (timer.next !== undefined) timer.next.previous = timer.previous;
  timer.next = undefined;
  timer.previous = undefined;
  timer.slot = -1;
  running--;
}

/** How many timers run. */
export function runningTimers(): number {
  return running;
}

function turn(): void {
  const now = performance.now();
  const until = Math.floor(now / TICK);
  // A process that was stopped for long need not look at a slot twice.
  turned = Math.max(turned, until - SLOTS);
  while (turned < until) {
    turned++;
    for (let timer = slots[turned % SLOTS]; timer !== undefined; ) {
      const { next } = timer;
      // Those of a later round stay.
      if (timer.at <= now) {
        stopTimer(timer);
        timer.fire();
        // It may have stopped others, the next one among them: begin this list again.
        timer = slots[turned % SLOTS];
      } else timer = next;
    }
  }
  if (running === 0 && interval !== undefined) {
    clearInterval(interval);
    interval = undefined;
  }
}
