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

/** Entities as a transaction sees them, what publishes, and the transaction itself for what repositories cannot say. */
export type Transaction<Entities, Published extends DescMessage = never> = {
  readonly [Name in keyof Entities]: Entities[Name] extends SoftRepository<infer D, infer K, infer U>
    ? TransactionRepository<D, K, U> & SoftRepository<D, K, U>
    : Entities[Name] extends Repository<infer D, infer K, infer U>
      ? TransactionRepository<D, K, U>
      : never;
} & ([Published] extends [never] ? object : Publisher<Published>) & {
    /** The Drizzle transaction. What is written through it must not be cached, for the cache does not see it. */
    readonly db: DatabaseTransaction;
    /** Has something done once this has committed. If the connection broke meanwhile and nobody knows, it is not done. */
    afterCommit(run: () => void): void;
  };

declare const published: unique symbol;

/** What a transaction may publish: there is none where the contract says that nothing is. */
export interface Publisher<Published extends DescMessage> {
  /**
   * Publishes an event if, and only if, the transaction is committed.
   *
   * @throws ConnectError RESOURCE_EXHAUSTED if it is larger than brokers take
   */
  publish<D extends Published>(event: EventType<D>, message: MessageInitShape<D>): Promise<void>;
  /** Keeps it from whoever would publish more; no value exists at run time. */
  readonly [published]?: (schema: Published) => void;
}

/**
 * Runs `body` in a transaction, and again if the database asks for that (serialization failure, deadlock), or if its
 * server was lost before the commit.
 *
 * @param settled is told each attempt's end: `committed`, or `unknown` if the connection broke while it was committing.
 *   A rolled back attempt is not told.
 * @param repeatable whether it may run again when nobody knows if it was committed
 * @param deadline when it must be done, in milliseconds since the epoch. Default: when the active call must
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
      // The next attempt waits for another server, or fails.
      const again = isRetryable(error) || (isLoss(error) && (!committing || repeatable));
      if (attempt === ATTEMPTS || !again) throw fromDatabase(error);
      await sleep(backoffMs(attempt, RETRY));
    }
  }
}
