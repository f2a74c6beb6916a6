import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** What a caller saw who did nothing wrong while others attacked. */
export interface Experience {
  readonly calls: number;
  /** The messages of the calls that failed, with how often each was met. */
  readonly failures: ReadonlyMap<string, number>;
  /** Latencies in milliseconds, from when a call was due, without what else the machine did: see `innocent`. */
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
 *
 * From each latency the time is taken in which a process that takes part was ready to run and the machine ran something
 * else: what others do on the machine says nothing about an attack, and would have to be allowed for by a bound that finds
 * nothing, or by trying again.
 *
 * @param processes the pids of those on a call's way, beside this one
 */
export function innocent(call: () => Promise<unknown>, everyMs = 20, processes: readonly number[] = []): Innocent {
  const latencies: number[] = [];
  const failures = new Map<string, number>();
  const pending = new Set<Promise<void>>();
  // One that runs tests may do so in a thread.
  const threads = ["thread-self", ...processes.map((pid) => `${pid}/task/${pid}`)];
  let stopped = false;
  const now = () => performance.now() - passedOverMs(threads);
  const one = async (due: number) => {
    try {
      await call();
    } catch (error) {
      const message = String(error).slice(0, 200);
      failures.set(message, (failures.get(message) ?? 0) + 1);
    }
    // Since it was due: a server of this process that stands still keeps the caller from calling, too.
    latencies.push(Math.max(0, now() - due));
  };
  const load = (async () => {
    for (let due = now(); !stopped; due += everyMs) {
      await sleep(Math.max(0, due - now()));
      const done = one(due).finally(() => pending.delete(done));
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

/**
 * How long some threads have been ready to run without a processor, in milliseconds. Linux counts it
 * (Documentation/scheduler/sched-stats.rst); elsewhere it is taken for 0.
 */
function passedOverMs(threads: readonly string[]): number {
  let nanoseconds = 0;
  for (const thread of threads) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${thread}/schedstat`, "latin1").split(" ")[1]);
    } catch {
      // Another system, or a process that has ended.
    }
  }
  return nanoseconds / 1e6;
}
