import { setTimeout as sleep } from "node:timers/promises";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { backoffMs } from "../call/backoff.js";
import type { EventType } from "../spec/event.js";
import type { Backoff } from "../spec/retry.js";
import type { DatabaseTransaction, Driver } from "./postgres/driver.js";
import { fromDatabase, isLoss, isRetryable } from "./postgres/errors.js";
import type { Repository, SoftRepository, TransactionRepository } from "./rows/repository.js";

const ATTEMPTS = 5;
const RETRY: Backoff = { initialBackoffMs: 5, maxBackoffMs: 100, backoffMultiplier: 2 };

/** The entities inside a transaction, event publishing, and the transaction itself for what repositories cannot express. */
export type Transaction<Entities, Published extends DescMessage = never> = {
  readonly [Name in keyof Entities]: Entities[Name] extends SoftRepository<infer D, infer K, infer U>
    ? TransactionRepository<D, K, U> & SoftRepository<D, K, U>
    : Entities[Name] extends Repository<infer D, infer K, infer U>
      ? TransactionRepository<D, K, U>
      : never;
} & ([Published] extends [never] ? object : Publisher<Published>) & {
    /** The Drizzle transaction. Do not write cached entities through it: the cache would not be invalidated. */
    readonly db: DatabaseTransaction;
    /** Registers a callback for after the commit. It is not called if the outcome of the commit is unknown. */
    afterCommit(run: () => void): void;
  };

declare const published: unique symbol;

/** Publishes events in a transaction; absent if the contract publishes none. */
export interface Publisher<Published extends DescMessage> {
  /**
   * Publishes an event if, and only if, the transaction is committed.
   *
   * @throws ConnectError RESOURCE_EXHAUSTED if it is larger than brokers accept
   */
  publish<D extends Published>(event: EventType<D>, message: MessageInitShape<D>): Promise<void>;
  /** A phantom property for the type checker, so that other events cannot be published; it has no value at run time. */
  readonly [published]?: (schema: Published) => void;
}

/**
 * Runs `body` in a transaction. It is retried after a serialization failure or a deadlock, or if the node was lost before the commit.
 *
 * @param settled called at each attempt's end: `committed`, or `unknown` if the connection broke during the commit; not after a
 *   rollback
 * @param repeatable whether to retry when the outcome of the commit is unknown
 * @param deadline in milliseconds since the epoch. Default: the active call's deadline
 */
export async function runTransaction<T>(
  driver: Driver,
  body: (tx: DatabaseTransaction) => Promise<T>,
  settled: (outcome: "committed" | "unknown") => void,
  repeatable = false,
  deadline?: number,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    let committing = false;
    try {
      const result = await driver.transaction(async (tx) => {
        const value = await body(tx);
        committing = true;
        return value;
      }, deadline);
      settled("committed");
      return result;
    } catch (error) {
      if (committing) settled("unknown");
      // The next attempt waits for another node, or fails.
      const again = isRetryable(error) || (isLoss(error) && (!committing || repeatable));
      if (attempt === ATTEMPTS || !again) throw fromDatabase(error);
      await sleep(backoffMs(attempt, RETRY));
    }
  }
}
