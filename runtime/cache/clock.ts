/** Reads that follow each other within so many milliseconds are a burst. */
const CLOSE_MS = 0.02;
/** So many more of a burst go without a look at the clock. */
const MOST = 100;

let time = Number.NEGATIVE_INFINITY;
let left = 0;
let turning = false;

/**
 * Milliseconds on a clock that never goes back. To look at the clock costs as much as all else about a hit in the cache,
 * so in a burst it stands still for a moment: for 100 reads, and never longer than the turn of the event loop.
 */
export function now(): number {
  if (left > 0) {
    left--;
    return time;
  }
  const before = time;
  time = performance.now();
  if (time - before < CLOSE_MS) {
    left = MOST;
    if (!turning) {
      turning = true;
      setImmediate(turn);
    }
  }
  return time;
}

function turn(): void {
  turning = false;
  left = 0;
}
