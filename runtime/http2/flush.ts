/** Collects bytes, and writes them all at once. */
export interface Flushable {
  flush(): void;
}

let waiting: Flushable[] = [];
let spare: Flushable[] = [];
let isScheduled = false;

/**
 * Flushes before anything else is read, and at the latest at the end of this turn of the event loop: all responses that are
 * written until then leave in the same write.
 */
export function scheduleFlush(flushable: Flushable): void {
  waiting.push(flushable);
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(flushLast);
}

/** Flushes now. Connections call it before they read: a turn may be long, and responses need not wait for its end. */
export function flushWaiting(): void {
  const now = waiting;
  if (now.length === 0) return;
  waiting = spare;
  for (const flushable of now) flushable.flush();
  now.length = 0;
  spare = now;
}

function flushLast(): void {
  isScheduled = false;
  flushWaiting();
}
