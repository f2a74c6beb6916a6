import { setTimeout as sleep } from "node:timers/promises";

/** What a caller saw who did nothing wrong while others attacked. */
export interface Experience {
  readonly calls: number;
  /** The messages of the calls that failed, with how often each was met. */
  readonly failures: ReadonlyMap<string, number>;
  /** Latencies in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** A caller who does nothing wrong, beside an attack. */
export interface Innocent {
  /** Ends the load, waits for its last call, and returns what the caller saw. */
  stop(): Promise<Experience>;
}

/**
 * Starts one caller that makes a call every `everyMs` milliseconds, whether or not the call before has ended: a caller
 * who waits politely would hide that a server stands still.
 */
export function innocent(call: () => Promise<unknown>, everyMs = 20): Innocent {
  const latencies: number[] = [];
  const failures = new Map<string, number>();
  const pending = new Set<Promise<void>>();
  let stopped = false;
  const one = async () => {
    const start = performance.now();
    try {
      await call();
    } catch (error) {
      const message = String(error).slice(0, 200);
      failures.set(message, (failures.get(message) ?? 0) + 1);
    }
    latencies.push(performance.now() - start);
  };
  const load = (async () => {
    for (let due = performance.now(); !stopped; due += everyMs) {
      await sleep(Math.max(0, due - performance.now()));
      const done = one().finally(() => pending.delete(done));
      pending.add(done);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await load;
      await Promise.all(pending);
      latencies.sort((a, b) => a - b);
      const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] ?? 0;
      return { calls: latencies.length, failures, p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) };
    },
  };
}
