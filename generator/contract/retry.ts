import type { RetryPolicy as RetryOption } from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";
import type { RetryPolicy } from "./contract.js";

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Returns a retry policy with its defaults filled in. Calls `fault` with each value that the runtime does not support. */
export function readRetryPolicy(
  option: RetryOption | undefined,
  defaults: RetryPolicy,
  fault: (message: string) => void,
): RetryPolicy {
  const { maxAttempts = 0, initialBackoffMs = 0, maxBackoffMs = 0, backoffMultiplier = 0 } = option ?? {};
  if (Math.max(initialBackoffMs, maxBackoffMs) > LONGEST_TIMER_MS) {
    fault("A delay of retry is longer than a timer runs (24 days): shorten it.");
  }
  if (backoffMultiplier !== 0 && !(backoffMultiplier >= 1 && backoffMultiplier <= 100)) {
    fault(`backoff_multiplier is ${backoffMultiplier}: it is from 1 to 100.`);
  }
  return {
    maxAttempts: maxAttempts || defaults.maxAttempts,
    initialBackoffMs: initialBackoffMs || defaults.initialBackoffMs,
    maxBackoffMs: maxBackoffMs || defaults.maxBackoffMs,
    backoffMultiplier: backoffMultiplier || defaults.backoffMultiplier,
  };
}
