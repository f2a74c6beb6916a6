import { sql } from "drizzle-orm";
import type { Data } from "../data/data.js";
import type { DatabaseTransaction } from "../data/postgres/connection.js";
import { isDatabaseOutage } from "../data/postgres/errors.js";
import type { Logger } from "../observe/log.js";
import type { EventMetrics } from "./metrics.js";

export interface MissingTimes {
  /** How often it is looked, in milliseconds. Default: 15,000. */
  readonly everyMs: number;
  /** For how long others have to be ahead of an event that is said to be missing, in milliseconds. Default: 60,000. */
  readonly overtakenMs: number;
  /**
   * After how long without a word from a partition the broker is believed that nothing is in it, in milliseconds. No
   * handler's transaction takes as long. Default: 120,000, more if handlers may take more than 30 seconds.
   */
  readonly idleMs: number;
  /** The largest share of the time that looking may take: it is looked less often if it takes long. Default: 0.02. */
  readonly share: number;
}

export interface MissingOptions {
  /** Who consumes. */
  readonly group: string;
  readonly data: Data;
  readonly topics: readonly string[];
  /** The longest that one of its handlers may take, in milliseconds. */
  readonly timeoutMs: number;
  /** For how long it is remembered what is missing, in milliseconds. */
  readonly keptMs: number;
  readonly times?: Partial<MissingTimes> | undefined;
  readonly log: Logger;
  readonly metrics: EventMetrics;
}

/** What is still before a group, by topic and partition, as its broker says. */
export type Lags = ReadonlyMap<string, readonly number[]>;

/** So many gaps of a topic are kept an eye on; older ones are let go. */
const MOST_GAPS = 10_000;

/**
 * Notices events that never reached a group: a broker forgot them, or never had them. Publishers number the events of a
 * topic without gaps, and the inbox notes the numbers that were taken; what is left over is on its way, or missing. An event
 * is missing if it cannot come any more: partitions are handed out in order, so each has passed it that has brought a batch
 * of later ones, or nothing for a while and is empty at the broker. The order of partitions among each other does not matter,
 * nor which instance took what.
 *
 * Looking is set arithmetic on numbers (PostgreSQL's multiranges). One instance of the group at a time does it, the others
 * read what it found.
 */
export class MissingEvents {
  readonly #options: MissingOptions;
  readonly #times: MissingTimes;
  #nextAt = 0;
  #isLooking = false;

  constructor(options: MissingOptions) {
    this.#options = options;
    const idleMs = Math.max(120_000, 2 * options.timeoutMs + 60_000);
    this.#times = { everyMs: 15_000, overtakenMs: 60_000, idleMs, share: 0.02, ...options.times };
  }

  /**
   * Looks, if it is time to. An outage of the database delays it.
   *
   * @param lags what the broker has just said: what it no longer has before the group is in the inbox
   * @param askedAt when it was asked, by `performance.now()`
   */
  async look(lags: Lags, askedAt: number): Promise<void> {
    if (this.#isLooking || performance.now() < this.#nextAt) return;
    this.#isLooking = true;
    const begun = performance.now();
    try {
      const { data, topics, log, metrics, group } = this.#options;
      const { found, counts } = await data.transaction(async (tx) => {
        const found = (await this.#isFirst(tx.db)) ? await this.#account(tx.db, lags, askedAt) : [];
        return { found, counts: await this.#count(tx.db) };
      });
      for (const { topic, source, first, last, count } of found) {
        log.error(
          { topic, source, first, last, count: Number(count) },
          `events never reached ${group}: scaffold events replay --missing --topic ${topic} --group ${group} brings those that their publisher still keeps`,
        );
      }
      for (const topic of new Set([...topics, ...counts.keys()]))
        metrics.missing.with({ topic }).set(counts.get(topic) ?? 0);
    } catch (error) {
      if (!isDatabaseOutage(error)) this.#options.log.error({ err: error }, "missing events could not be looked for");
    } finally {
      this.#isLooking = false;
      const { everyMs, share } = this.#times;
      this.#nextAt = begun + Math.max(everyMs, (performance.now() - begun) / share);
    }
  }

  /** Whether no other instance is at it, until the end of the transaction. */
  async #isFirst(tx: DatabaseTransaction): Promise<boolean> {
    const { rows } = await tx.execute(
      sql`SELECT pg_try_advisory_xact_lock(hashtextextended(${this.#options.group}, 270103)) AS "isFirst"`,
    );
    return (rows[0] as { isFirst: boolean }).isFirst;
  }

  /** Brings the accounts up to date. Answers what is found to be missing now. */
  async #account(tx: DatabaseTransaction, lags: Lags, askedAt: number): Promise<Found[]> {
    const partitions = await this.#note(tx);
    // What the broker said is no longer true of events that others may have overtaken by now.
    const isTrue = performance.now() - askedAt < this.#times.overtakenMs;
    const bounds = isTrue ? await this.#bounds(tx, partitions, lags) : [];
    const found = await this.#judge(tx, bounds);
    await this.#tidy(tx);
    return found;
  }

  /** Settles the numbers that were taken lately. Answers up to where each partition has come. */
  async #note(tx: DatabaseTransaction): Promise<Partition[]> {
    const { group } = this.#options;
    const { overtakenMs, idleMs } = this.#times;
    // What is committed after a look may have been taken before it, by as much as a transaction may take. The planner is to
    // know the time, so that it finds the few rows by their index.
    const { rows: since } = await tx.execute(sql`
      SELECT (coalesce(max("at"), '-infinity') - ${idleMs} * interval '1 ms')::text AS "since" FROM "scaffold_looks"
      WHERE "group" IN ('', ${group})`);
    const { rows } = await tx.execute(sql`
      WITH "recent" AS MATERIALIZED (
        SELECT "source", "topic", "number", "partition", "floor", "taken_at" FROM "scaffold_inbox"
        WHERE "group" = ${group} AND "taken_at" >= ${(since[0] as { since: string }).since}::timestamptz AND "number" IS NOT NULL
      ), "ranked" AS (
        SELECT "source", "topic", "number",
          "number" - dense_rank() OVER (PARTITION BY "source", "topic" ORDER BY "number") AS "run" FROM "recent"
      ), "runs" AS (
        SELECT "source", "topic", int8range(min("number"), max("number"), '[]') AS "run" FROM "ranked"
        GROUP BY "source", "topic", "ranked"."run"
      ), "taken" AS (
        SELECT "source", "topic", range_agg("run") AS "numbers" FROM "runs" GROUP BY "source", "topic"
      ), "accounts" AS (
        INSERT INTO "scaffold_accounts" AS "a" ("group", "source", "topic", "numbers")
        SELECT ${group}, "source", "topic", "numbers" FROM "taken"
        ON CONFLICT ("group", "source", "topic") DO UPDATE SET "numbers" = "a"."numbers" + excluded."numbers"
        WHERE NOT "a"."numbers" @> excluded."numbers"
      ), "come" AS (
        UPDATE "scaffold_missing" AS "m" SET "numbers" = "m"."numbers" - "taken"."numbers" FROM "taken"
        WHERE "m"."group" = ${group} AND "m"."source" = "taken"."source" AND "m"."topic" = "taken"."topic"
          AND "m"."numbers" && "taken"."numbers"
      )
      SELECT "source", "topic", "partition",
        max("floor") FILTER (WHERE "taken_at" < now() - ${overtakenMs} * interval '1 ms') AS "floor"
      FROM "recent" WHERE "taken_at" >= now() - ${idleMs} * interval '1 ms' GROUP BY "source", "topic", "partition"`);
    return rows as unknown as Partition[];
  }

  /** Below which number nothing of a topic can come any more, where that is known. */
  async #bounds(tx: DatabaseTransaction, partitions: readonly Partition[], lags: Lags): Promise<Bound[]> {
    const { rows } = await tx.execute(sql`
      SELECT "source", "topic", upper("numbers") AS "end" FROM "scaffold_accounts" WHERE "group" = ${this.#options.group}`);
    return (rows as unknown as { source: string; topic: string; end: string }[]).flatMap(({ source, topic, end }) => {
      const lag = lags.get(topic);
      if (lag === undefined) return [];
      const own = partitions.filter((one) => one.source === source && one.topic === topic);
      const bound = boundOf(new Map(own.map(({ partition, floor }) => [partition, floor])), lag, end);
      return bound === undefined ? [] : [{ source, topic, bound }];
    });
  }

  /**
   * Notes what is missing below the bounds. A group's first look at a topic notes nothing: what its broker no longer had when
   * it came is not missing. From the highest number that it has by then it has to get all, for all partitions have begun.
   */
  async #judge(tx: DatabaseTransaction, bounds: readonly Bound[]): Promise<Found[]> {
    if (bounds.length === 0) return [];
    const { group } = this.#options;
    const column = (name: keyof Bound) => sql.param(bounds.map((bound) => bound[name]));
    const { rows } = await tx.execute(sql`
      WITH "bounds" AS (
        SELECT * FROM unnest(${column("source")}::text[], ${column("topic")}::text[], ${column("bound")}::bigint[])
          AS "bounds" ("source", "topic", "bound")
      ), "gaps" AS (
        SELECT "source", "topic", "opened", CASE WHEN "opened"
          THEN int8multirange(int8range(lower("numbers"), greatest(lower("numbers"), "bound"))) - "numbers"
          ELSE int8multirange(range_merge("numbers")) - "numbers" END AS "numbers"
        FROM "scaffold_accounts" JOIN "bounds" USING ("source", "topic") WHERE "group" = ${group}
      ), "settled" AS (
        UPDATE "scaffold_accounts" AS "a" SET "numbers" = "a"."numbers" + "gaps"."numbers", "opened" = true FROM "gaps"
        WHERE "a"."group" = ${group} AND "a"."source" = "gaps"."source" AND "a"."topic" = "gaps"."topic"
          AND NOT ("gaps"."opened" AND isempty("gaps"."numbers"))
      ), "missing" AS (
        INSERT INTO "scaffold_missing" ("group", "source", "topic", "numbers")
        SELECT ${group}, "source", "topic", "numbers" FROM "gaps" WHERE "opened" AND NOT isempty("numbers") RETURNING *
      )
      SELECT "source", "topic", lower("numbers") AS "first", upper("numbers") - 1 AS "last", ${size} AS "count" FROM "missing"`);
    return rows as unknown as Found[];
  }

  /** Forgets what nobody can bring again, and gaps that are too many to keep. */
  async #tidy(tx: DatabaseTransaction): Promise<void> {
    const { group, keptMs } = this.#options;
    await tx.execute(sql`
      DELETE FROM "scaffold_missing" WHERE "group" = ${group}
        AND (isempty("numbers") OR "noticed_at" < now() - ${keptMs} * interval '1 ms')`);
    await tx.execute(sql`
      UPDATE "scaffold_accounts" SET "numbers" = "numbers" + int8multirange(int8range(lower("numbers"), "kept"."first"))
      FROM (
        SELECT "source", "topic", (
          SELECT lower("run") FROM unnest("numbers") AS "run" ORDER BY 1 DESC OFFSET ${MOST_GAPS} LIMIT 1
        ) AS "first" FROM "scaffold_accounts" WHERE "group" = ${group}
      ) AS "kept"
      WHERE "group" = ${group} AND "scaffold_accounts"."source" = "kept"."source"
        AND "scaffold_accounts"."topic" = "kept"."topic" AND "kept"."first" IS NOT NULL`);
    await tx.execute(sql`
      INSERT INTO "scaffold_looks" ("group", "at") VALUES (${group}, now())
      ON CONFLICT ("group") DO UPDATE SET "at" = excluded."at"`);
  }

  async #count(tx: DatabaseTransaction): Promise<ReadonlyMap<string, number>> {
    const { rows } = await tx.execute(sql`
      SELECT "topic", sum(${size})::text AS "count" FROM "scaffold_missing" WHERE "group" = ${this.#options.group}
      GROUP BY "topic"`);
    return new Map(
      (rows as unknown as { topic: string; count: string }[]).map(({ topic, count }) => [topic, Number(count)]),
    );
  }
}

/** How many numbers there are. */
const size = sql`(SELECT coalesce(sum(upper("run") - lower("run")), 0) FROM unnest("numbers") AS "run")`;

/** A partition that has brought something lately. */
interface Partition {
  readonly source: string;
  readonly topic: string;
  readonly partition: number;
  /** Below which it brings nothing any more, as of a while ago; null: nothing was known then. */
  readonly floor: string | null;
}

interface Bound {
  readonly source: string;
  readonly topic: string;
  readonly bound: string;
}

interface Found {
  readonly source: string;
  readonly topic: string;
  readonly first: string;
  readonly last: string;
  readonly count: string;
}

/**
 * Below which number none of a topic's partitions brings anything any more; undefined if one of them may bring anything.
 *
 * @param floors of the partitions that have brought something lately
 * @param lag what the broker has in each partition
 * @param end the bound if no partition has brought anything lately, and none will
 */
function boundOf(floors: ReadonlyMap<number, string | null>, lag: readonly number[], end: string): string | undefined {
  // An empty partition that brings nothing is no bound.
  if (lag.some((count, partition) => count > 0 && !floors.has(partition))) return undefined;
  let bound = end;
  for (const floor of floors.values()) {
    if (floor === null) return undefined;
    if (BigInt(floor) < BigInt(bound)) bound = floor;
  }
  return bound;
}
