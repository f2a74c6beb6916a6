import { type SQL, sql } from "drizzle-orm";
import { connectionOf, type DatabaseTransaction } from "../data/postgres/connection.js";
import type { EventRecord } from "./record.js";

/** The identity of an event in the inbox of a group. */
export interface EventName {
  readonly group: string;
  readonly source: string;
  readonly id: string;
  /** The replay that brought the event. "0": none. */
  readonly replay: string;
}

/** A record as its group's inbox knows it. */
export interface InboxRecord {
  readonly name: EventName;
  readonly record: EventRecord;
  /** The key whose queue the record waits in. A record without a key has a queue of its own. */
  readonly queueKey: string;
  /** The record's place in its topic. Undefined: its publisher does not number events. */
  readonly place: TopicPlace | undefined;
}

export interface TopicPlace {
  readonly number: string;
  readonly partition: number;
  /** The lowest number of the batch: all lower ones that the partition ever brings are settled. */
  readonly floor: string;
}

/** The queue of one key's events in a group: only its head is ever due. */
export interface KeyQueue {
  readonly group: string;
  readonly topic: string;
  readonly queueKey: string;
}

/** A record in the queue of its key: it waits for another attempt, or behind a record that does. */
export interface QueuedRecord extends InboxRecord {
  readonly seq: string;
  /** The number of attempts that have begun. */
  readonly attempts: number;
}

/** PostgreSQL's timestamp for records that wait for those before them, or for a person. */
const NEVER = "infinity";

const take = {
  name: "scaffold_inbox",
  text: `
INSERT INTO "scaffold_inbox" ("group", "source", "id", "replay", "topic", "number", "partition", "floor")
SELECT $1, $2, $3, $4::bigint, $5, $7::bigint, $8::integer, $9::bigint WHERE NOT EXISTS (
  SELECT FROM "scaffold_waiting" WHERE "group" = $1 AND "topic" = $5 AND "line" = $6)
ON CONFLICT DO NOTHING`,
};

/**
 * The inbox of a group, in the group's own database. Whatever happens to a record, its name enters the inbox in the same
 * transaction, so that a redelivered copy finds it there.
 */
export const inboxStore = {
  /**
   * Enters a record that is handled in this transaction. Returns false if it was entered before, or if its key's queue is not empty.
   * This takes one statement, because every event pays for it.
   */
  async take(tx: DatabaseTransaction, { name, record, queueKey, place }: InboxRecord): Promise<boolean> {
    const { group, source, id, replay } = name;
    const { rowCount } = await connectionOf(tx).run({
      ...take,
      values: [group, source, id, replay, record.topic, queueKey, place?.number, place?.partition, place?.floor],
    });
    return rowCount === 1;
  },

  /**
   * Enters a record into its key's queue. Returns false if it was entered before, and "first" if the queue is empty: the record is
   * not put into it, and must be handled in this transaction.
   */
  async enqueue(tx: DatabaseTransaction, item: InboxRecord): Promise<boolean | "first"> {
    await lockQueue(tx, queueOf(item));
    if (!(await enter(tx, item))) return false;
    if (await isEmpty(tx, queueOf(item))) return "first";
    await append(tx, item, { attempts: 0, delayMs: undefined, reason: "" });
    return true;
  },

  /**
   * Enters a record that failed. Its key's later records wait behind it until its next attempt, which is due after `delayMs` unless
   * an earlier record was redriven meanwhile. Returns undefined if it was entered before.
   */
  async parkKey(
    tx: DatabaseTransaction,
    item: InboxRecord,
    delayMs: number,
    reason: string,
  ): Promise<QueuedRecord | undefined> {
    await lockQueue(tx, queueOf(item));
    if (!(await enter(tx, item))) return undefined;
    const isHead = await isEmpty(tx, queueOf(item));
    const seq = await append(tx, item, { attempts: 1, delayMs: isHead ? delayMs : undefined, reason });
    return { ...item, seq, attempts: 1 };
  },

  /**
   * Begins an attempt at a queue's head that is due. The attempt counts from now on, so that a record that kills its process runs
   * out of attempts, too. Without a result within `leaseMs` the record is due again. Returns undefined if none is due.
   */
  async claim(tx: DatabaseTransaction, group: string, leaseMs: number): Promise<QueuedRecord | undefined> {
    const { rows } = await tx.execute(sql`
      UPDATE "scaffold_waiting" SET "attempts" = "attempts" + 1, "due" = now() + ${leaseMs} * interval '1 ms'
      WHERE "seq" = (
        SELECT "seq" FROM "scaffold_waiting" WHERE "group" = ${group} AND "due" <= now()
        ORDER BY "due" LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING "seq", "topic", "line" AS "queueKey", "key", "attributes", "payload", "attempts"`);
    const row = rows[0] as QueuedRow | undefined;
    if (row === undefined) return undefined;
    const { seq, topic, queueKey, key, attributes, payload, attempts } = row;
    const record = { topic, key, attributes, payload: new Uint8Array(payload) };
    return { ...inboxRecordOf(group, record), queueKey, seq, attempts };
  },

  /** Returns how long it is until a queue's head is due, in milliseconds, or undefined if none will be. */
  async nextDueMs(tx: DatabaseTransaction, group: string): Promise<number | undefined> {
    const { rows } = await tx.execute(sql`
      SELECT extract(epoch FROM min("due") - now()) * 1000 AS "ms" FROM "scaffold_waiting"
      WHERE "group" = ${group} AND "due" < ${NEVER}`);
    const ms = (rows[0] as { ms: string | null }).ms;
    return ms === null ? undefined : Math.max(0, Number(ms));
  },

  /** Counts the records in queues, and the dead letters. */
  async count(tx: DatabaseTransaction, group: string): Promise<{ waiting: number; dead: number }> {
    const { rows } = await tx.execute(sql`
      SELECT (SELECT count(*) FROM "scaffold_waiting" WHERE "group" = ${group})::integer AS "waiting",
        (SELECT count(*) FROM "scaffold_dead_letters" WHERE "group" = ${group})::integer AS "dead"`);
    return rows[0] as { waiting: number; dead: number };
  },

  /** Removes a queue's head that was handled: the next record is due. Returns false if another attempt at it has begun meanwhile. */
  async finish(tx: DatabaseTransaction, head: QueuedRecord): Promise<boolean> {
    await lockQueue(tx, queueOf(head));
    const { rowCount } = await tx.execute(sql`
      DELETE FROM "scaffold_waiting" WHERE "seq" = ${head.seq} AND "attempts" = ${head.attempts}`);
    if (rowCount !== 1) return false;
    await promote(tx, queueOf(head));
    return true;
  },

  /** Postpones a queue's head that failed again. Returns undefined if another attempt at it has begun meanwhile. */
  async postpone(
    tx: DatabaseTransaction,
    head: QueuedRecord,
    delayMs: number,
    reason: string,
  ): Promise<QueuedRecord | undefined> {
    // Lock the queue before the row, as a redrive does.
    await lockQueue(tx, queueOf(head));
    const { rowCount } = await tx.execute(sql`
      UPDATE "scaffold_waiting" SET "due" = now() + ${delayMs} * interval '1 ms', "reason" = ${reason}
      WHERE "seq" = ${head.seq} AND "attempts" = ${head.attempts}`);
    return rowCount === 1 ? head : undefined;
  },

  /**
   * Moves a queued record to the dead letters. Its queue goes on, or waits for a person if it is `parked`. Returns false if another
   * attempt has begun meanwhile.
   */
  async deadLetter(tx: DatabaseTransaction, queued: QueuedRecord, parked: boolean, reason: string): Promise<boolean> {
    const { seq, attempts } = queued;
    await lockQueue(tx, queueOf(queued));
    const { rowCount } = await tx.execute(sql`
      INSERT INTO "scaffold_dead_letters" ("seq", "group", "topic", "line", "key", "attributes", "payload", "attempts", "reason", "parked")
      SELECT "seq", "group", "topic", "line", "key", "attributes", "payload", "attempts", ${reason}, ${parked}::boolean
      FROM "scaffold_waiting" WHERE "seq" = ${seq} AND "attempts" = ${attempts} ON CONFLICT DO NOTHING`);
    if (rowCount !== 1) return false;
    if (parked) await tx.execute(sql`UPDATE "scaffold_waiting" SET "due" = ${NEVER} WHERE "seq" = ${seq}`);
    else {
      await tx.execute(sql`DELETE FROM "scaffold_waiting" WHERE "seq" = ${seq}`);
      await promote(tx, queueOf(queued));
    }
    return true;
  },

  /**
   * Puts dead letters back into their queue, before all later records of the key, with no attempts counted. An attempt at a later
   * record that is under way has no effect: it counts, and is made again in its turn. Returns the letters that were there.
   */
  async redrive(tx: DatabaseTransaction, queue: KeyQueue, seqs: readonly string[]): Promise<string[]> {
    await lockQueue(tx, queue);
    const { rows } = await tx.execute(sql`
      WITH "letters" AS (
        DELETE FROM "scaffold_dead_letters" WHERE ${isIn(queue)} AND "seq" = ANY (${sql.param(seqs)}::bigint[]) RETURNING *
      ), "parked" AS (
        UPDATE "scaffold_waiting" AS "waiting" SET "attempts" = 0, "due" = ${NEVER}, "reason" = ''
        FROM "letters" WHERE "letters"."parked" AND "waiting"."seq" = "letters"."seq"
      ), "skipped" AS (
        INSERT INTO "scaffold_waiting" ("seq", "group", "topic", "line", "key", "attributes", "payload", "due")
        OVERRIDING SYSTEM VALUE
        SELECT "seq", "group", "topic", "line", "key", "attributes", "payload", ${NEVER} FROM "letters" WHERE NOT "parked"
      )
      SELECT "seq" FROM "letters" ORDER BY "seq"`);
    // With one more attempt counted, the attempt that is under way finds itself overtaken.
    await tx.execute(sql`
      UPDATE "scaffold_waiting" SET "due" = ${NEVER}, "attempts" = "attempts" + 1
      WHERE ${isIn(queue)} AND "due" < ${NEVER} AND "seq" > (SELECT min("seq") FROM "scaffold_waiting" WHERE ${isIn(queue)})`);
    await promote(tx, queue);
    return rows.map(({ seq }) => seq as string);
  },

  /** Removes dead letters for good. Records behind a parked one go on. Returns the letters that were there. */
  async discard(tx: DatabaseTransaction, queue: KeyQueue, seqs: readonly string[]): Promise<string[]> {
    await lockQueue(tx, queue);
    const { rows } = await tx.execute(sql`
      WITH "letters" AS (
        DELETE FROM "scaffold_dead_letters" WHERE ${isIn(queue)} AND "seq" = ANY (${sql.param(seqs)}::bigint[]) RETURNING "seq"
      ), "parked" AS (
        DELETE FROM "scaffold_waiting" AS "waiting" USING "letters" WHERE "waiting"."seq" = "letters"."seq"
      )
      SELECT "seq" FROM "letters" ORDER BY "seq"`);
    await promote(tx, queue);
    return rows.map(({ seq }) => seq as string);
  },
};

interface QueuedRow {
  readonly seq: string;
  readonly topic: string;
  readonly queueKey: string;
  readonly key: string;
  readonly attributes: Record<string, string>;
  readonly payload: Buffer;
  readonly attempts: number;
}

/** Returns a record as its group's inbox knows it. */
export function inboxRecordOf(group: string, record: EventRecord, place?: TopicPlace): InboxRecord {
  const { source = "", id = "", replay = "0" } = record.attributes;
  const queueKey = record.key || `${source}/${id}/${replay}`;
  return { name: { group, source, id, replay }, record, queueKey, place };
}

function queueOf({ name, record, queueKey }: InboxRecord): KeyQueue {
  return { group: name.group, topic: record.topic, queueKey };
}

function isIn({ group, topic, queueKey }: KeyQueue): SQL {
  return sql`"group" = ${group} AND "topic" = ${topic} AND "line" = ${queueKey}`;
}

/** Locks a queue until the end of the transaction, so that no record is put behind a head that is about to leave. */
async function lockQueue(tx: DatabaseTransaction, { group, topic, queueKey }: KeyQueue): Promise<void> {
  const id = `${group}\n${topic}\n${queueKey}`;
  await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${id}, 270101))`);
}

/** Puts a record's name into the inbox. Returns false if it was there. */
async function enter(tx: DatabaseTransaction, { name, record, place }: InboxRecord): Promise<boolean> {
  const { group, source, id, replay } = name;
  const { number = null, partition = null, floor = null } = place ?? {};
  const columns = sql`"group", "source", "id", "replay", "topic", "number", "partition", "floor"`;
  const noted = sql`${record.topic}, ${number}::bigint, ${partition}::integer, ${floor}::bigint`;
  const { rowCount } = await tx.execute(sql`
    INSERT INTO "scaffold_inbox" (${columns}) VALUES (${group}, ${source}, ${id}, ${replay}::bigint, ${noted})
    ON CONFLICT DO NOTHING`);
  if (rowCount !== 1 && number !== null) {
    // A publisher whose database crashed may give a second number to an event that was delivered under its first. Note both, or
    // one of them would be reported as missing.
    await tx.execute(sql`
      INSERT INTO "scaffold_inbox" (${columns}) SELECT "group", "source", "id", -${number}::bigint, ${noted}
      FROM "scaffold_inbox" WHERE "group" = ${group} AND "source" = ${source} AND "id" = ${id}
        AND "replay" = ${replay}::bigint AND "number" IS DISTINCT FROM ${number}::bigint
      ON CONFLICT DO NOTHING`);
  }
  return rowCount === 1;
}

async function isEmpty(tx: DatabaseTransaction, queue: KeyQueue): Promise<boolean> {
  const { rowCount } = await tx.execute(sql`SELECT FROM "scaffold_waiting" WHERE ${isIn(queue)} LIMIT 1`);
  return rowCount === 0;
}

/** Appends a record to its key's queue, due after a delay, or after all records before it. Returns its sequence number. */
async function append(
  tx: DatabaseTransaction,
  { name, record, queueKey }: InboxRecord,
  {
    attempts,
    delayMs,
    reason,
  }: { readonly attempts: number; readonly delayMs: number | undefined; readonly reason: string },
): Promise<string> {
  const { payload } = record;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const due = delayMs === undefined ? sql`${NEVER}` : sql`now() + ${delayMs} * interval '1 ms'`;
  const { rows } = await tx.execute(sql`
    INSERT INTO "scaffold_waiting" ("group", "topic", "line", "key", "attributes", "payload", "attempts", "due", "reason")
    VALUES (${name.group}, ${record.topic}, ${queueKey}, ${record.key}, ${JSON.stringify(record.attributes)}, ${bytes},
      ${attempts}, ${due}, ${reason})
    RETURNING "seq"`);
  return (rows[0] as { seq: string }).seq;
}

/** Makes a queue's head due, unless it waits for a person. */
async function promote(tx: DatabaseTransaction, queue: KeyQueue): Promise<void> {
  await tx.execute(sql`
    UPDATE "scaffold_waiting" AS "head" SET "due" = now() WHERE "due" = ${NEVER}
      AND "seq" = (SELECT min("seq") FROM "scaffold_waiting" WHERE ${isIn(queue)})
      AND NOT EXISTS (SELECT FROM "scaffold_dead_letters" WHERE "seq" = "head"."seq")`);
}
