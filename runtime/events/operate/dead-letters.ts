import { inboxStore, type KeyQueue } from "../inbox-store.js";
import type { EventRecord } from "../record.js";
import { connected } from "./database.js";

/** An event that a group has failed to handle for the last time. */
export interface DeadLetter extends EventRecord {
  /** The id of the letter in its group's database. */
  readonly seq: string;
  readonly group: string;
  readonly attempts: number;
  /** The error of its last attempt. */
  readonly reason: string;
  /** Whether later events of its key wait until it is redriven or discarded. */
  readonly parked: boolean;
  readonly diedAt: Date;
}

/** Chooses dead letters of a group: those that meet every condition. */
export interface DeadLetterChoice {
  readonly group: string;
  /** Their ids. Default: all. */
  readonly seqs?: readonly string[];
  readonly topic?: string;
  /** The earliest and the latest time at which they became dead letters. */
  readonly from?: Date;
  readonly to?: Date;
}

const chosen = `
  "group" = $1 AND ($2::bigint[] IS NULL OR "seq" = ANY ($2)) AND ($3::text IS NULL OR "topic" = $3)
  AND ($4::timestamptz IS NULL OR "died_at" >= $4) AND ($5::timestamptz IS NULL OR "died_at" <= $5)`;

const values = ({ group, seqs, topic, from, to }: DeadLetterChoice) => [group, seqs, topic, from, to];

/** Returns the oldest of a group's dead letters, `limit` at most, and the number of all. */
export function listDeadLetters(
  url: string,
  choice: DeadLetterChoice,
  limit: number,
): Promise<{ letters: DeadLetter[]; total: number }> {
  return connected(url, async ({ query }) => {
    const { rows } = await query(
      `SELECT "seq", "group", "topic", "key", "attributes", "payload", "attempts", "reason", "parked",
         "died_at" AS "diedAt" FROM "scaffold_dead_letters" WHERE ${chosen} ORDER BY "seq" LIMIT $6`,
      [...values(choice), limit],
    );
    const count = await query(
      `SELECT count(*)::integer AS "total" FROM "scaffold_dead_letters" WHERE ${chosen}`,
      values(choice),
    );
    return { letters: rows as DeadLetter[], total: count.rows[0].total };
  });
}

/**
 * Puts dead letters back into the queues of their keys, in their order and before all later events that are not handled. A group
 * that runs retries them within a second, another one when it starts. Returns the letters that were there.
 */
export function redriveDeadLetters(url: string, choice: DeadLetterChoice): Promise<string[]> {
  return settle(url, choice, inboxStore.redrive);
}

/** Removes dead letters for good. Keys that waited for them go on. Returns the letters that were there. */
export function discardDeadLetters(url: string, choice: DeadLetterChoice): Promise<string[]> {
  return settle(url, choice, inboxStore.discard);
}

/** Runs a transaction for each queue: no lock covers more than one, and the failure of one leaves the others done. */
function settle(url: string, choice: DeadLetterChoice, act: typeof inboxStore.redrive): Promise<string[]> {
  return connected(url, async ({ query, transaction }) => {
    const { rows } = await query(
      `SELECT "group", "topic", "line" AS "queueKey", array_agg("seq"::text ORDER BY "seq") AS "seqs" FROM "scaffold_dead_letters"
       WHERE ${chosen} GROUP BY "group", "topic", "line" ORDER BY min("seq")`,
      values(choice),
    );
    const settled: string[] = [];
    for (const { seqs, ...queue } of rows as (KeyQueue & { seqs: string[] })[]) {
      settled.push(...(await transaction((tx) => act(tx, queue, seqs))));
    }
    return settled.sort((a, b) => Number(BigInt(a) - BigInt(b)));
  });
}
