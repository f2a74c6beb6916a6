import { AsyncLocalStorage } from "node:async_hooks";
import type { DescMessage, Message } from "@bufbuild/protobuf";

/** Says, in the metadata of an answer, how many milliseconds old the oldest row in it is that could not be read anew. */
export const staleAgeHeader = "scaffold-stale-age-ms";

/** What a call was asked. */
export interface ActiveRequest {
  readonly schema: DescMessage;
  readonly message: Message;
}

/** What a call is, as far as its data is concerned. */
export interface ActiveCallOptions {
  /** What it was asked, to tell a caller's values from the handler's. Default: unknown. */
  readonly request?: ActiveRequest | undefined;
  /** Whether its reads may be answered by replicas, as its contract says. Default: no. */
  readonly replicas?: boolean;
  /** When it must have been answered, by `performance.now()`. */
  readonly deadline?: number | undefined;
  /** Until when it may wait for a database that is away, by `performance.now()`. Default: as long as others do. */
  readonly patientUntil?: number | undefined;
  /** Notes that a row in its answer is this old, and could not be read anew. */
  readonly stale?: (ageMs: number) => void;
}

/** What the data behind a handler knows of the call that it runs for. */
export class ActiveCall {
  /** What it was asked; of a stream of requests, the last one that was read. */
  request: ActiveRequest | undefined;
  readonly replicas: boolean;
  readonly deadline: number | undefined;
  readonly patientUntil: number | undefined;
  readonly stale: (ageMs: number) => void;
  #cancelled: Error | undefined;
  #listeners: Set<(reason: Error) => void> | undefined;

  constructor({ request, replicas = false, deadline, patientUntil, stale = () => undefined }: ActiveCallOptions) {
    this.request = request;
    this.replicas = replicas;
    this.deadline = deadline;
    this.patientUntil = patientUntil;
    this.stale = stale;
  }

  /** Why the call ended before it was answered: its deadline, its caller, or a drain. Undefined: it goes on, or was answered. */
  get cancelled(): Error | undefined {
    return this.#cancelled;
  }

  /** Ends the work for it. Later calls change nothing. */
  cancel(reason: Error): void {
    if (this.#cancelled !== undefined) return;
    this.#cancelled = reason;
    reasons.add(reason);
    const listeners = this.#listeners;
    this.#listeners = undefined;
    for (const listener of listeners ?? []) listener(reason);
  }

  /** Calls `listener` when the call is cancelled. Returns what removes it. */
  onCancel(listener: (reason: Error) => void): () => void {
    this.#listeners ??= new Set();
    const listeners = this.#listeners;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }
}

/** Why calls were cancelled. */
const reasons = new WeakSet<Error>();

// Entered only by calls of services that own data.
const active = new AsyncLocalStorage<ActiveCall | undefined>();

/** The call that runs now; undefined outside of any. */
export function activeCall(): ActiveCall | undefined {
  return active.getStore();
}

/** Runs something as part of a call. */
export function runAs<T>(call: ActiveCall | undefined, run: () => T): T {
  return call === undefined ? run() : active.run(call, run);
}

/** Runs something that a call begins and does not wait for: it goes on when the call has ended. */
export function runApart<T>(run: () => T): T {
  return active.getStore() === undefined ? run() : active.run(undefined, run);
}

/** Whether an error says that another call was cancelled, whose work this one has waited for. */
export function isOthersCancellation(error: unknown): boolean {
  return error instanceof Error && reasons.has(error) && activeCall()?.cancelled !== error;
}
