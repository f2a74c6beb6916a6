import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "../../call/backoff.js";
import type { Backoff } from "../../spec/retry.js";

const RETRY: Backoff = { initialBackoffMs: 200, maxBackoffMs: 5000, backoffMultiplier: 2 };

/** Waits for the back-off after so many failures, or until `stop` is aborted. */
export async function backOff(failures: number, stop: AbortSignal): Promise<void> {
  await pause(backoffMs(failures, RETRY), stop);
}

/** Waits for so long, or until `stop` is aborted. */
export async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stop }).catch(() => undefined);
}

/** Waits until a promise resolves, but not for longer than `ms`. Returns whether it has. */
export async function within(ms: number, done: Promise<unknown>): Promise<boolean> {
  const late = new AbortController();
  const isDone = await Promise.race([done.then(() => true), pause(ms, late.signal).then(() => false)]);
  late.abort();
  return isDone;
}

/** Waits for a promise. Rejects with the signal's reason once `stop` is aborted. */
export async function unlessAborted<T>(stop: AbortSignal, done: Promise<T>): Promise<T> {
  const settled = new AbortController();
  const stopped = new Promise<never>((_, reject) => {
    if (stop.aborted) reject(stop.reason);
    stop.addEventListener("abort", () => reject(stop.reason), { once: true, signal: settled.signal });
  });
  try {
    return await Promise.race([done, stopped]);
  } finally {
    settled.abort();
  }
}
