import { setTimeout as sleep } from "node:timers/promises";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

/** Waits before another try, longer after each that failed, until `stop` is aborted. */
export async function pauseAfter(failures: number, stop: AbortSignal): Promise<void> {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10));
  // Apart, so that not all come back at the same moment.
  await pause(longest * (0.5 + Math.random() / 2), stop);
}

export async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stop }).catch(() => undefined);
}

/** Waits until something is done, but not for longer than `ms`. False: it is not done. */
export async function within(ms: number, done: Promise<unknown>): Promise<boolean> {
  const late = new AbortController();
  const isDone = await Promise.race([done.then(() => true), pause(ms, late.signal).then(() => false)]);
  late.abort();
  return isDone;
}
