/** Something that puts bytes together, and writes them all at once. */
export interface Flushable {
  flush(): void;
}

let waiting: Flushable[] = [];
let spare: Flushable[] = [];

/**
 * Flushes it once all that happens in this turn of the event loop has happened: every call that was answered meanwhile
 * goes out in the same write.
 */
export function scheduleFlush(flushable: Flushable): void {
  if (waiting.push(flushable) === 1) setImmediate(flushAll);
}

function flushAll(): void {
  const now = waiting;
  waiting = spare;
  for (const flushable of now) flushable.flush();
  now.length = 0;
  spare = now;
}
