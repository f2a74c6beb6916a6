import pg from "pg";
import type { Logger } from "../observe/log.js";
import type { Broker, SubscribeOptions, Topic } from "./broker.js";
import { partitionOf } from "./partition.js";
import { LOG_CHANNEL, logTables, SCHEMA_LOCK } from "./postgres/schema.js";
import { PostgresSubscription } from "./postgres/subscription.js";
import type { EventRecord } from "./record.js";

export interface PostgresOptions {
  /** Names the connections in the server's own views. */
  readonly service: string;
  readonly log?: Logger;
}

const PRUNE_INTERVAL_MS = 60_000;

const append = `
WITH "input" AS (
  SELECT * FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::bytea[])
    WITH ORDINALITY AS "input" ("topic", "partition", "key", "attributes", "payload", "n")
), "counts" AS (
  SELECT "topic", "partition", count(*) AS "count" FROM "input" GROUP BY "topic", "partition"
), "moved" AS (
  UPDATE "scaffold_partitions" AS "p" SET "next" = "p"."next" + "counts"."count" FROM "counts"
  WHERE "p"."topic" = "counts"."topic" AND "p"."partition" = "counts"."partition"
  RETURNING "p"."topic", "p"."partition", "p"."next" - "counts"."count" - 1 AS "before"
), "logged" AS (
  INSERT INTO "scaffold_log" ("topic", "partition", "position", "key", "attributes", "payload")
  SELECT "topic", "partition", "before" + row_number() OVER (PARTITION BY "topic", "partition" ORDER BY "n"),
    "key", "attributes"::jsonb, "payload"
  FROM "input" JOIN "moved" USING ("topic", "partition")
)
SELECT pg_notify('${LOG_CHANNEL}', "topic" || '/' || "partition") FROM "moved"`;

const prune = `
DELETE FROM "scaffold_log" AS "log" USING (
  SELECT "p"."partition", coalesce(min("g"."committed"), "p"."next") AS "consumed"
  FROM "scaffold_partitions" AS "p" LEFT JOIN "scaffold_groups" AS "g" USING ("topic", "partition")
  WHERE "p"."topic" = $1 GROUP BY "p"."partition", "p"."next"
) AS "all"
WHERE "log"."topic" = $1 AND "log"."partition" = "all"."partition" AND "log"."position" <= "all"."consumed"
  AND "log"."logged_at" < now() - $2 * interval '1 ms'`;

/**
 * A broker in a PostgreSQL database: a log of partitions, and leases by which the members of a group share them. For one
 * machine, or for a company that has no other broker. Events that a group still has before it are never removed.
 *
 * @param url `postgres://user:password@host:port/database`, of a database that all services share
 */
export function openPostgres(url: string, { service, log }: PostgresOptions): Broker {
  const settings = {
    connectionString: url,
    application_name: `${service} (events)`,
    max: 4,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 60_000,
    query_timeout: 30_000,
    keepAlive: true,
  };
  const pool = new pg.Pool(settings);
  // How far a group is may be forgotten in a crash: then some comes again, which its inbox knows.
  const consumers = new pg.Pool({ ...settings, options: "-c synchronous_commit=off" });
  for (const each of [pool, consumers]) each.on("error", () => undefined);
  /** How many partitions a declared topic really has. */
  const partitions = new Map<string, number>();
  /** How long what is published here is kept, in milliseconds. */
  const retentions = new Map<string, number>();
  let prunedAt = performance.now();
  let spread = 0;

  async function declare(topics: readonly Topic[]): Promise<void> {
    if (topics.length === 0) return;
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      await client.query("SELECT pg_advisory_xact_lock($1)", [SCHEMA_LOCK]);
      await client.query(logTables);
      for (const { name, partitions: wanted, groups } of topics) {
        // A topic that is there keeps its size, for another would change where keys belong.
        await client.query(
          `INSERT INTO "scaffold_partitions" ("topic", "partition") SELECT $1, generate_series(0, $2 - 1)
           WHERE NOT EXISTS (SELECT FROM "scaffold_partitions" WHERE "topic" = $1)`,
          [name, wanted],
        );
        await client.query(
          `INSERT INTO "scaffold_groups" ("group", "topic", "partition")
           SELECT "group", "topic", "partition" FROM "scaffold_partitions", unnest($2::text[]) AS "group"
           WHERE "topic" = $1 ON CONFLICT DO NOTHING`,
          [name, groups],
        );
      }
      await client.query("COMMIT");
      const { rows } = await client.query(
        `SELECT "topic", count(*)::integer AS "count" FROM "scaffold_partitions" WHERE "topic" = ANY ($1) GROUP BY "topic"`,
        [topics.map(({ name }) => name)],
      );
      for (const { topic, count } of rows) partitions.set(topic, count);
      for (const { name, retentionMs } of topics) retentions.set(name, retentionMs);
      client.release();
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  function place({ topic, key }: EventRecord): number {
    const count = partitions.get(topic);
    if (count === undefined) throw new Error(`the topic ${topic} was not declared`);
    return key === "" ? spread++ % count : partitionOf(key, count);
  }

  /** Removes what is too old, now and then; a failure is for the next time. */
  async function pruneSometimes(): Promise<void> {
    if (performance.now() - prunedAt < PRUNE_INTERVAL_MS) return;
    prunedAt = performance.now();
    for (const [topic, retentionMs] of retentions) await pool.query(prune, [topic, retentionMs]);
  }

  return {
    system: "postgresql",
    declare,
    async publish(records) {
      if (records.length === 0) return;
      const values = [
        records.map(({ topic }) => topic),
        records.map(place),
        records.map(({ key }) => key),
        records.map(({ attributes }) => JSON.stringify(attributes)),
        records.map(({ payload }) => Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)),
      ];
      await pool.query({ name: "append", text: append, values });
      pruneSometimes().catch(() => undefined);
    },
    subscribe: (options: SubscribeOptions) =>
      new PostgresSubscription(url, consumers, { ...options, service, log, declare }),
    async lag(group, topics) {
      const { rows } = await pool.query(
        // From the first that is there: a group that comes late does not get what was removed before.
        `SELECT "p"."topic", array_agg(("p"."next" - coalesce("first"."position", "p"."next"))::integer ORDER BY "p"."partition") AS "lag"
         FROM "scaffold_partitions" AS "p" LEFT JOIN "scaffold_groups" AS "g"
           ON "g"."group" = $1 AND "g"."topic" = "p"."topic" AND "g"."partition" = "p"."partition"
         LEFT JOIN LATERAL (
           SELECT min("position") AS "position" FROM "scaffold_log" AS "l"
           WHERE "l"."topic" = "p"."topic" AND "l"."partition" = "p"."partition" AND "l"."position" > coalesce("g"."committed", 0)
         ) AS "first" ON true
         WHERE "p"."topic" = ANY ($2) GROUP BY "p"."topic"`,
        [group, topics],
      );
      return new Map(rows.map(({ topic, lag }) => [topic, lag as number[]] as const));
    },
    async close() {
      await Promise.all([pool.end(), consumers.end()]);
    },
  };
}
