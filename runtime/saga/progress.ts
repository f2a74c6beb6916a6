import type { ConnectError } from "@connectrpc/connect";
import { backoffMs } from "../call/backoff.js";
import type { Data } from "../data/data.js";
import type { Backoff } from "../spec/retry.js";
import { type SagaChange, type SagaRow, STUCK_AFTER, write } from "./store.js";

/** What the steps of sagas need besides the contract. */
export interface SagaDependencies {
  readonly data: Data;
  /** Clients of the called services, by the names that handlers use. */
  readonly peers: Readonly<Record<string, unknown>>;
  readonly leaseMs: number;
  /** Aborted when the process ends. Calls under way are abandoned then, and the next executor makes them again. */
  readonly signal: AbortSignal;
}

/** Where a saga stands after one step, forward or back. The database has it by then. */
export type Progress =
  /** The next step can begin at once. */
  | { readonly kind: "advanced"; readonly row: SagaRow }
  /** The attempt failed, and the next one is due. `becameStuck`: with this failure a person should look at the saga. */
  | { readonly kind: "failed"; readonly inMs: number; readonly becameStuck: boolean; readonly error: ConnectError }
  /** The saga waits for a version of the contract that is compatible with it. */
  | { readonly kind: "incompatible"; readonly inMs: number; readonly incompatibility: string }
  | { readonly kind: "ended"; readonly state: "completed" | "compensated" };

/** The delay before a version of the contract, this one or another, looks at an incompatible saga again. */
const INCOMPATIBLE_MS = 5000;
/** The delay before a refused compensation is attempted again: only another version, or a person, can make it succeed. */
const REFUSED_MS = 60_000;

export async function advance(
  row: SagaRow,
  { data }: SagaDependencies,
  change: SagaChange,
  next: SagaRow,
): Promise<Progress> {
  await write(data.db, row, change);
  return { kind: "advanced", row: next };
}

/** Has a failed attempt made again after a delay. */
export async function retryLater(
  row: SagaRow,
  { data }: SagaDependencies,
  error: ConnectError,
  backoff: Backoff,
): Promise<Progress> {
  const attempts = row.attempts + 1;
  // A saga without time left must be compensated, not retried.
  const leftMs = row.state === "running" ? Math.max(0, row.leftMs) : Number.POSITIVE_INFINITY;
  const inMs = Math.min(leftMs, backoffMs(attempts, backoff));
  await write(data.db, row, { error: error.message, dueInMs: inMs });
  return { kind: "failed", inMs, becameStuck: attempts === STUCK_AFTER, error };
}

/** Has a compensation that was refused for good made again after a long delay, and shows the saga as stuck from the first refusal on. */
export async function holdRefused(row: SagaRow, { data }: SagaDependencies, error: ConnectError): Promise<Progress> {
  await write(data.db, row, { error: error.message, refused: true, dueInMs: REFUSED_MS });
  const wasStuck = row.refused || row.attempts >= STUCK_AFTER;
  return { kind: "failed", inMs: REFUSED_MS, becameStuck: !wasStuck, error };
}

/** Has a saga wait for a compatible version of the contract. A running saga is compensated once its time is over. */
export async function holdIncompatible(
  row: SagaRow,
  { data }: SagaDependencies,
  incompatibility: string,
): Promise<Progress> {
  const inMs = row.state === "running" ? Math.min(row.leftMs, INCOMPATIBLE_MS) : INCOMPATIBLE_MS;
  await write(data.db, row, { incompatibility, dueInMs: inMs });
  return { kind: "incompatible", inMs, incompatibility };
}
