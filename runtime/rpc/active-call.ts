import { AsyncLocalStorage } from "node:async_hooks";

/** Says, in the metadata of an answer, how many milliseconds old the oldest row in it is that could not be read anew. */
export const staleAgeHeader = "scaffold-stale-age-ms";

/** What the data behind a handler knows of the call that it runs for. */
export interface ActiveCall {
  /** Whether its reads may be answered by replicas, as its contract says. */
  readonly replicas: boolean;
  /** Until when it may wait for a database that is away, on Date.now's clock; undefined: as long as others do. */
  readonly patientUntil: number | undefined;
  /** Notes that a row in its answer is this old, and could not be read anew. */
  stale(ageMs: number): void;
}

// Entered only by calls of services that own data.
const active = new AsyncLocalStorage<ActiveCall>();

/** The call that runs now; undefined outside of any. */
export function activeCall(): ActiveCall | undefined {
  return active.getStore();
}

/** Runs something as part of a call. */
export function runAs<T>(call: ActiveCall | undefined, run: () => T): T {
  return call === undefined ? run() : active.run(call, run);
}
