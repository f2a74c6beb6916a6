import { type SQL, sql } from "drizzle-orm";
import { connectionOf, type DatabaseTransaction } from "../data/postgres/connection.js";
import type { EventRecord } from "./record.js";

/** What names an event to the group that takes it. */
export interface EventName {
  readonly group: string;
  readonly source: string;
  readonly id: string;
  /** The replay that it came with; "0": none. */
  readonly replay: string;
}

/** A record under the names that its group keeps it by. */
export interface Item {
  readonly name: EventName;
  readonly record: EventRecord;
  /** What it waits in line with: its key, or itself if it has none. */
  readonly line: string;
  /** Where it stands among those of its topic; undefined if its publisher does not number them. */
  readonly place: Place | undefined;
}

export interface Place {
  readonly number: string;
  readonly partition: number;
  /** The lowest number that came with it: all lower ones that its partition ever brings are settled. */
  readonly floor: string;
}

/** Where events of one group wait for each other. */
export interface Line {
  readonly group: string;
  readonly topic: string;
  readonly line: string;
}

/** An event that waits for another try, or behind one that does. */
export interface Waiting extends Item {
  readonly seq: string;
  /** How many tries have begun. */
  readonly attempts: number;
}

/** Seconds that are never over, for PostgreSQL. */
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
 * What a group does with records in its own database. Whatever becomes of a record, its name is put into the inbox in the
 * same transaction, so that a second copy of it finds it there.
 */
export const custody = {
  /**
   * Takes a record over, to be handled in this transaction. False: it was taken before, or its line waits. One statement,
   * for this is what every event costs.
   */
  async take(tx: DatabaseTransaction, { name, record, line, place }: Item): Promise<boolean> {
    const { group, source, id, replay } = name;
    const { rowCount } = await connectionOf(tx).run({
      ...take,
      values: [group, source, id, replay, record.topic, line, place?.number, place?.partition, place?.floor],
    });
    return rowCount === 1;
  },

  /** Takes a record over, into its line. False: it was taken before. "first": nobody is before it, so handle it. */
  async queue(tx: DatabaseTransaction, item: Item): Promise<boolean | "first"> {
    await lockLine(tx, lineOf(item));
    if (!(await enter(tx, item))) return false;
    if (!(await isWaiting(tx, lineOf(item)))) return "first";
    await insert(tx, item, { attempts: 0, pauseMs: undefined, reason: "" });
    return true;
  },

  /**
   * Takes over a record that failed: it waits for its next try, at the head of its line, unless something was put back
   * before it meanwhile. Undefined: it was taken before.
   */
  async park(tx: DatabaseTransaction, item: Item, pauseMs: number, reason: string): Promise<Waiting | undefined> {
    await lockLine(tx, lineOf(item));
    if (!(await enter(tx, item))) return undefined;
    const isBehind = await isWaiting(tx, lineOf(item));
    const seq = await insert(tx, item, { attempts: 1, pauseMs: isBehind ? undefined : pauseMs, reason });
    return { ...item, seq, attempts: 1 };
  },

  /**
   * Begins another try of the head of a line whose time has come. It counts from now on, so that an event that takes its
   * process down is given up some day, too; if nothing is heard of it for `leaseMs`, it is due again. Undefined: none is due.
   */
  async claim(tx: DatabaseTransaction, group: string, leaseMs: number): Promise<Waiting | undefined> {
    const { rows } = await tx.execute(sql`
      UPDATE "scaffold_waiting" SET "attempts" = "attempts" + 1, "due" = now() + ${leaseMs} * interval '1 ms'
      WHERE "seq" = (
        SELECT "seq" FROM "scaffold_waiting" WHERE "group" = ${group} AND "due" <= now()
        ORDER BY "due" LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING "seq", "topic", "line", "key", "attributes", "payload", "attempts"`);
    const row = rows[0] as WaitingRow | undefined;
    if (row === undefined) return undefined;
    const { seq, topic, line, key, attributes, payload, attempts } = row;
    const record = { topic, key, attributes, payload: new Uint8Array(payload) };
    return { ...itemOf(group, record), line, seq, attempts };
  },

  /** How long until a line is due, in milliseconds; undefined: none ever is. */
  async nextDueMs(tx: DatabaseTransaction, group: string): Promise<number | undefined> {
    const { rows } = await tx.execute(sql`
      SELECT extract(epoch FROM min("due") - now()) * 1000 AS "ms" FROM "scaffold_waiting"
      WHERE "group" = ${group} AND "due" < ${NEVER}`);
    const ms = (rows[0] as { ms: string | null }).ms;
    return ms === null ? undefined : Math.max(0, Number(ms));
  },

  /** How much waits, and how much is dead. */
  async count(tx: DatabaseTransaction, group: string): Promise<{ waiting: number; dead: number }> {
    const { rows } = await tx.execute(sql`
      SELECT (SELECT count(*) FROM "scaffold_waiting" WHERE "group" = ${group})::integer AS "waiting",
        (SELECT count(*) FROM "scaffold_dead_letters" WHERE "group" = ${group})::integer AS "dead"`);
    return rows[0] as { waiting: number; dead: number };
  },

  /** The head of a line was handled: the next one is due. False: another try of it has begun meanwhile. */
  async finish(tx: DatabaseTransaction, waiting: Waiting): Promise<boolean> {
    await lockLine(tx, lineOf(waiting));
    const { rowCount } = await tx.execute(sql`
      DELETE FROM "scaffold_waiting" WHERE "seq" = ${waiting.seq} AND "attempts" = ${waiting.attempts}`);
    if (rowCount !== 1) return false;
    await promote(tx, lineOf(waiting));
    return true;
  },

  /** The head of a line failed again. Undefined: another try of it has begun meanwhile. */
  async postpone(
    tx: DatabaseTransaction,
    waiting: Waiting,
    pauseMs: number,
    reason: string,
  ): Promise<Waiting | undefined> {
    // Before the row: whoever redrives has the line, and waits for its rows.
    await lockLine(tx, lineOf(waiting));
    const { rowCount } = await tx.execute(sql`
      UPDATE "scaffold_waiting" SET "due" = now() + ${pauseMs} * interval '1 ms', "reason" = ${reason}
      WHERE "seq" = ${waiting.seq} AND "attempts" = ${waiting.attempts}`);
    return rowCount === 1 ? waiting : undefined;
  },

  /** An event, as it now waits, is given up; its line goes on, or waits for a person if it is `parked`. */
  async die(tx: DatabaseTransaction, waiting: Waiting, parked: boolean, reason: string): Promise<boolean> {
    const { seq, attempts } = waiting;
    await lockLine(tx, lineOf(waiting));
    const { rowCount } = await tx.execute(sql`
      INSERT INTO "scaffold_dead_letters" ("seq", "group", "topic", "line", "key", "attributes", "payload", "attempts", "reason", "parked")
      SELECT "seq", "group", "topic", "line", "key", "attributes", "payload", "attempts", ${reason}, ${parked}::boolean
      FROM "scaffold_waiting" WHERE "seq" = ${seq} AND "attempts" = ${attempts} ON CONFLICT DO NOTHING`);
    if (rowCount !== 1) return false;
    if (parked) await tx.execute(sql`UPDATE "scaffold_waiting" SET "due" = ${NEVER} WHERE "seq" = ${seq}`);
    else {
      await tx.execute(sql`DELETE FROM "scaffold_waiting" WHERE "seq" = ${seq}`);
      await promote(tx, lineOf(waiting));
    }
    return true;
  },

  /**
   * Puts dead letters of a line back where they were, so before all that came after them, as if they had never been tried.
   * If a later one is being tried, nothing comes of that try: it counts, and is made again in its turn. Answers which of
   * them were there.
   */
  async redrive(tx: DatabaseTransaction, at: Line, seqs: readonly string[]): Promise<string[]> {
    await lockLine(tx, at);
    const { rows } = await tx.execute(sql`
      WITH "letters" AS (
        DELETE FROM "scaffold_dead_letters" WHERE ${isOf(at)} AND "seq" = ANY (${sql.param(seqs)}::bigint[]) RETURNING *
      ), "parked" AS (
        UPDATE "scaffold_waiting" AS "waiting" SET "attempts" = 0, "due" = ${NEVER}, "reason" = ''
        FROM "letters" WHERE "letters"."parked" AND "waiting"."seq" = "letters"."seq"
      ), "skipped" AS (
        INSERT INTO "scaffold_waiting" ("seq", "group", "topic", "line", "key", "attributes", "payload", "due")
        OVERRIDING SYSTEM VALUE
        SELECT "seq", "group", "topic", "line", "key", "attributes", "payload", ${NEVER} FROM "letters" WHERE NOT "parked"
      )
      SELECT "seq" FROM "letters" ORDER BY "seq"`);
    // One more try has begun, as far as the one under way can see: so it is overtaken.
    await tx.execute(sql`
      UPDATE "scaffold_waiting" SET "due" = ${NEVER}, "attempts" = "attempts" + 1
      WHERE ${isOf(at)} AND "due" < ${NEVER} AND "seq" > (SELECT min("seq") FROM "scaffold_waiting" WHERE ${isOf(at)})`);
    await promote(tx, at);
    return rows.map(({ seq }) => seq as string);
  },

  /** Forgets dead letters of a line; what waited behind a parked one goes on. Answers which of them were there. */
  async discard(tx: DatabaseTransaction, at: Line, seqs: readonly string[]): Promise<string[]> {
    await lockLine(tx, at);
    const { rows } = await tx.execute(sql`
      WITH "letters" AS (
        DELETE FROM "scaffold_dead_letters" WHERE ${isOf(at)} AND "seq" = ANY (${sql.param(seqs)}::bigint[]) RETURNING "seq"
      ), "parked" AS (
        DELETE FROM "scaffold_waiting" AS "waiting" USING "letters" WHERE "waiting"."seq" = "letters"."seq"
      )
      SELECT "seq" FROM "letters" ORDER BY "seq"`);
    await promote(tx, at);
    return rows.map(({ seq }) => seq as string);
  },
};

interface WaitingRow {
  readonly seq: string;
  readonly topic: string;
  readonly line: string;
  readonly key: string;
  readonly attributes: Record<string, string>;
  readonly payload: Buffer;
  readonly attempts: number;
}

/** A record by the names that its group knows it by. */
export function itemOf(group: string, record: EventRecord, place?: Place): Item {
  const { source = "", id = "", replay = "0" } = record.attributes;
  return { name: { group, source, id, replay }, record, line: record.key || `${source}/${id}/${replay}`, place };
}

function lineOf({ name, record, line }: Item): Line {
  return { group: name.group, topic: record.topic, line };
}

function isOf({ group, topic, line }: Line): SQL {
  return sql`"group" = ${group} AND "topic" = ${topic} AND "line" = ${line}`;
}

/** Whoever changes a line does so alone, so that nobody gets behind a head that is about to leave. */
async function lockLine(tx: DatabaseTransaction, { group, topic, line }: Line): Promise<void> {
  const id = `${group}\n${topic}\n${line}`;
  await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${id}, 270101))`);
}

async function enter(tx: DatabaseTransaction, { name, record, place }: Item): Promise<boolean> {
  const { group, source, id, replay } = name;
  const { number = null, partition = null, floor = null } = place ?? {};
  const columns = sql`"group", "source", "id", "replay", "topic", "number", "partition", "floor"`;
  const noted = sql`${record.topic}, ${number}::bigint, ${partition}::integer, ${floor}::bigint`;
  const { rowCount } = await tx.execute(sql`
    INSERT INTO "scaffold_inbox" (${columns}) VALUES (${group}, ${source}, ${id}, ${replay}::bigint, ${noted})
    ON CONFLICT DO NOTHING`);
  if (rowCount !== 1 && number !== null) {
    // A publisher whose database crashed may number an event anew, which has come under its first number already. Both
    // are noted, or one would be missed.
    await tx.execute(sql`
      INSERT INTO "scaffold_inbox" (${columns}) SELECT "group", "source", "id", -${number}::bigint, ${noted}
      FROM "scaffold_inbox" WHERE "group" = ${group} AND "source" = ${source} AND "id" = ${id}
        AND "replay" = ${replay}::bigint AND "number" IS DISTINCT FROM ${number}::bigint
      ON CONFLICT DO NOTHING`);
  }
  return rowCount === 1;
}

async function isWaiting(tx: DatabaseTransaction, at: Line): Promise<boolean> {
  const { rowCount } = await tx.execute(sql`SELECT FROM "scaffold_waiting" WHERE ${isOf(at)} LIMIT 1`);
  return rowCount === 1;
}

/** Puts a record at the end of its line, to be tried after a pause, or after all that is before it. Answers its place. */
async function insert(
  tx: DatabaseTransaction,
  { name, record, line }: Item,
  {
    attempts,
    pauseMs,
    reason,
  }: { readonly attempts: number; readonly pauseMs: number | undefined; readonly reason: string },
): Promise<string> {
  const { payload } = record;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const due = pauseMs === undefined ? sql`${NEVER}` : sql`now() + ${pauseMs} * interval '1 ms'`;
  const { rows } = await tx.execute(sql`
    INSERT INTO "scaffold_waiting" ("group", "topic", "line", "key", "attributes", "payload", "attempts", "due", "reason")
    VALUES (${name.group}, ${record.topic}, ${line}, ${record.key}, ${JSON.stringify(record.attributes)}, ${bytes},
      ${attempts}, ${due}, ${reason})
    RETURNING "seq"`);
  return (rows[0] as { seq: string }).seq;
}

/** The first of a line is due, if it waited for those before it, and not for a person. */
async function promote(tx: DatabaseTransaction, at: Line): Promise<void> {
  await tx.execute(sql`
    UPDATE "scaffold_waiting" AS "head" SET "due" = now() WHERE "due" = ${NEVER}
      AND "seq" = (SELECT min("seq") FROM "scaffold_waiting" WHERE ${isOf(at)})
      AND NOT EXISTS (SELECT FROM "scaffold_dead_letters" WHERE "seq" = "head"."seq")`);
}
