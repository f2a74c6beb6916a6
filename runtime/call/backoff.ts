import type { Backoff } from "../spec/retry.js";

/** The share by which a delay is shortened or lengthened at random: processes that failed together must not come back together. */
const JITTER = 0.2;
/** Node.js fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Returns the delay before the next attempt, in milliseconds, by the formula of gRPC's retries (gRFC A6):
 * `min(initial * multiplier ^ (failures - 1), max) * random(0.8, 1.2)`.
 *
 * @param failures the number of attempts that have failed in a row, from 1 on
 */
export function backoffMs(
  failures: number,
  { initialBackoffMs, maxBackoffMs, backoffMultiplier }: Backoff,
  random: () => number = Math.random,
): number {
  // After enough failures the power is infinite, and 0 times infinity is NaN.
  const delayMs = initialBackoffMs === 0 ? 0 : initialBackoffMs * backoffMultiplier ** (failures - 1);
  return Math.min(jittered(Math.min(maxBackoffMs, delayMs), random), LONGEST_TIMER_MS);
}

/** Returns an interval shortened or lengthened at random by up to a fifth, so that processes do not act at the same moment. */
export function jittered(ms: number, random: () => number = Math.random): number {
  return ms * (1 - JITTER + 2 * JITTER * random());
}
