/** The resolution of timers, in milliseconds. */
const TICK = 8;
const SLOTS = 1024;

/** Calls a function later. Its owner keeps it, to start and stop it again and again. */
export class Timer {
  /** The neighbours in a list of the wheel. */
  next: Timer | undefined;
  previous: Timer | undefined;
  at = 0;
  /** The list of the wheel that it is in; -1 while it does not run. */
  slot = -1;

  constructor(readonly fire: () => void) {}
}

/**
 * A wheel of lists of timers, turned by one interval of Node.js while any timer runs. Timers are mostly deadlines, which
 * almost never pass, so starting and stopping one costs next to nothing. A timer fires up to 16 ms late, and never early.
 */
const slots = new Array<Timer | undefined>(SLOTS).fill(undefined);
let running = 0;
let turned = 0;
let interval: NodeJS.Timeout | undefined;

/** Starts a timer, or starts it again. It does not keep the process alive. */
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

/** Returns the number of running timers. */
export function runningTimers(): number {
  return running;
}

function turn(): void {
  const now = performance.now();
  const until = Math.floor(now / TICK);
  // After a long pause of the process, no slot needs to be looked at twice.
  turned = Math.max(turned, until - SLOTS);
  while (turned < until) {
    turned++;
    for (let timer = slots[turned % SLOTS]; timer !== undefined; ) {
      const { next } = timer;
      // Timers of a later round stay.
      if (timer.at <= now) {
        stopTimer(timer);
        timer.fire();
        // It may have stopped others, and the next one too: begin this list again.
        timer = slots[turned % SLOTS];
      } else timer = next;
    }
  }
  if (running === 0 && interval !== undefined) {
    clearInterval(interval);
    interval = undefined;
  }
}
