import { OUTBOX_CHANNEL } from "../outbox.js";
import { RELAY_LOCK } from "../relay.js";
import { connected } from "./database.js";
import type { Point } from "./outbox.js";

/** A part of what a service has published to a topic, and still keeps. */
export interface EventSpan {
  readonly topic: string;
  /** The positions of its first and last event. */
  readonly first: string;
  readonly last: string;
  readonly events: number;
  /** When the first and the last of them were published. */
  readonly from: Date;
  readonly to: Date;
  /** If it is only events that a group misses: their numbers, as PostgreSQL's multirange. */
  readonly numbers?: string;
}

/** Which of the events of a topic are meant: those that are all of this. */
export interface SpanChoice {
  readonly topic: string;
  /** Both inclusive. Default: from the beginning, and to the end. */
  readonly from?: Point | undefined;
  readonly to?: Point | undefined;
  /** As PostgreSQL's multirange. Default: all. */
  readonly numbers?: string | undefined;
}

/** What is there of such events; undefined if none is. */
export function measureSpan(url: string, { topic, from, to, numbers }: SpanChoice): Promise<EventSpan | undefined> {
  return connected(url, async ({ query }) => {
    // A span is one of positions: times do not always grow with them, for what commits late gets a late position.
    const { rows } = await query(
      `WITH "kept" AS (
         SELECT "position", "created_at" FROM "scaffold_outbox"
         WHERE "topic" = $1 AND "position" IS NOT NULL AND NOT "attributes" ? 'refused'
           AND ($6::int8multirange IS NULL OR "number" <@ $6)
       ), "bounds" AS (
         SELECT min("position") AS "first", max("position") AS "last" FROM "kept"
         WHERE ($2::bigint IS NULL OR "position" >= $2) AND ($3::timestamptz IS NULL OR "created_at" >= $3)
           AND ($4::bigint IS NULL OR "position" <= $4) AND ($5::timestamptz IS NULL OR "created_at" <= $5)
       )
       SELECT "first", "last", count(*)::integer AS "events", min("created_at") AS "from", max("created_at") AS "to"
       FROM "bounds" JOIN "kept" ON "position" BETWEEN "first" AND "last" GROUP BY "first", "last"`,
      [topic, from?.position, from?.time, to?.position, to?.time, numbers],
    );
    return rows[0] === undefined ? undefined : { topic, ...rows[0], ...(numbers !== undefined && { numbers }) };
  });
}

/**
 * Asks for events once more, for one group alone, which handles them as if they were new: the relay of the service that
 * published them sends them again, between those that are new. Those that it misses are new; if one of them has come
 * meanwhile, it is not handled again. Answers the replay's name.
 */
export function requestReplay(url: string, group: string, { topic, first, last, numbers }: EventSpan): Promise<string> {
  return connected(url, async ({ query }) => {
    const { rows } = await query(
      `INSERT INTO "scaffold_replays" ("topic", "group", "after", "until", "numbers") VALUES ($1, $2, $3::bigint - 1, $4, $5) RETURNING "id"`,
      [topic, group, first, last, numbers],
    );
    await query(`SELECT pg_notify($1, '')`, [OUTBOX_CHANNEL]);
    return rows[0].id;
  });
}

export interface ReplayProgress {
  readonly isOver: boolean;
  /** How many events are still to be sent again. */
  readonly left: number;
  /** Whether there is a relay at work, that is, an instance of the service. */
  readonly isRelayed: boolean;
}

/** How far a replay is; undefined if there is none of that name. */
export function replayProgress(url: string, id: string): Promise<ReplayProgress | undefined> {
  return connected(url, async ({ query }) => {
    const { rows } = await query(
      `SELECT "finished_at" IS NOT NULL AS "isOver", (
           SELECT count(*)::integer FROM "scaffold_outbox" WHERE "topic" = "replay"."topic" AND "finished_at" IS NULL
             AND "position" > "after" AND "position" <= "until" AND NOT "attributes" ? 'refused'
             AND ("numbers" IS NULL OR "number" <@ "numbers")
         ) AS "left", EXISTS (
           SELECT FROM pg_locks WHERE "locktype" = 'advisory' AND "classid" = 0 AND "objid" = $2 AND "granted"
             AND "database" = (SELECT "oid" FROM pg_database WHERE "datname" = current_database())
         ) AS "isRelayed"
       FROM "scaffold_replays" AS "replay" WHERE "id" = $1`,
      [id, RELAY_LOCK],
    );
    return rows[0];
  });
}
