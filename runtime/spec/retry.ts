/** The delays between attempts, in the words of gRPC's service config. */
export interface Backoff {
  /** The delay before the second attempt, in milliseconds. */
  readonly initialBackoffMs: number;
  /** The upper bound of delays before jitter, in milliseconds. */
  readonly maxBackoffMs: number;
  /** The factor from one delay to the next. */
  readonly backoffMultiplier: number;
}

/** When failed work is attempted again, as its contract says. */
export interface RetryPolicy extends Backoff {
  /** The number of attempts, the first one included. Absent: no bound. */
  readonly maxAttempts?: number;
}
