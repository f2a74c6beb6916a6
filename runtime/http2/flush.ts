/** Something that puts bytes together, and writes them all at once. */
export interface Flushable {
  flush(): void;
}

let waiting: Flushable[] = [];
let spare: Flushable[] = [];
let isScheduled = false;

/**
 * Flushes it before anything else is read, or else once all that happens in this turn of the event loop has happened: all
 * calls that were answered meanwhile go out in the same write.
 */
export function scheduleFlush(flushable: Flushable): void {
  waiting.push(flushable);
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(flushLast);
}

/** Flushes what waits. Whoever reads more calls it first: a turn may be long, and nobody's answers need wait for its end. */
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
