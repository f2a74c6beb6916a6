import { custody, type Line } from "../custody.js";
import type { EventRecord } from "../record.js";
import { connected } from "./database.js";

/** An event that a group has given up. */
export interface DeadLetter extends EventRecord {
  /** Names it in its group's database. */
  readonly seq: string;
  readonly group: string;
  readonly attempts: number;
  /** What its last try failed with. */
  readonly reason: string;
  /** Whether later events of its key wait for what is done with it. */
  readonly parked: boolean;
  readonly diedAt: Date;
}

/** Which of a group's dead letters are meant: those that are all of this. */
export interface DeadLetterChoice {
  readonly group: string;
  /** By name. Default: all. */
  readonly seqs?: readonly string[];
  readonly topic?: string;
  /** When they died, at the earliest and at the latest. */
  readonly from?: Date;
  readonly to?: Date;
}

const chosen = `
  "group" = $1 AND ($2::bigint[] IS NULL OR "seq" = ANY ($2)) AND ($3::text IS NULL OR "topic" = $3)
  AND ($4::timestamptz IS NULL OR "died_at" >= $4) AND ($5::timestamptz IS NULL OR "died_at" <= $5)`;

const values = ({ group, seqs, topic, from, to }: DeadLetterChoice) => [group, seqs, topic, from, to];

/** The oldest of a group's dead letters, `limit` at most, and how many there are in all. */
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
 * Has a group try dead letters again, in the order in which they came, before all later events of their keys that it has
 * not handled. The group may be at work meanwhile, or not: it begins with them within a second, or when it starts. Answers
 * which were there.
 */
export function redriveDeadLetters(url: string, choice: DeadLetterChoice): Promise<string[]> {
  return settle(url, choice, custody.redrive);
}

/** Forgets dead letters for good; the keys that waited for them go on. Answers which were there. */
export function discardDeadLetters(url: string, choice: DeadLetterChoice): Promise<string[]> {
  return settle(url, choice, custody.discard);
}

/** A transaction for each line: nobody holds up more than one, and what was done stays done if the next one fails. */
function settle(url: string, choice: DeadLetterChoice, act: typeof custody.redrive): Promise<string[]> {
  return connected(url, async ({ query, transaction }) => {
    const { rows } = await query(
      `SELECT "group", "topic", "line", array_agg("seq"::text ORDER BY "seq") AS "seqs" FROM "scaffold_dead_letters"
       WHERE ${chosen} GROUP BY "group", "topic", "line" ORDER BY min("seq")`,
      values(choice),
    );
    const settled: string[] = [];
    for (const { seqs, ...line } of rows as (Line & { seqs: string[] })[]) {
      settled.push(...(await transaction((tx) => act(tx, line, seqs))));
    }
    return settled.sort((a, b) => Number(BigInt(a) - BigInt(b)));
  });
}
