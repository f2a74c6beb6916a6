import type pg from "pg";
import { jittered } from "../call/backoff.js";
import { Condition } from "../data/postgres/condition.js";
import { inSessions, type Session } from "../data/postgres/sessions.js";
import type { Logger } from "../observe/log.js";
import { type Broker, RecordRefused, type Topic } from "./broker.js";
import type { EventMetrics } from "./metrics.js";
import { OUTBOX_CHANNEL } from "./outbox.js";
import type { EventRecord } from "./record.js";

export interface RelayOptions {
  /** Returns the primary's URL. The relay holds a lock in its session, so no pooler that shares connections by transaction works. */
  readonly url: () => Promise<string>;
  /** The name of the connection in PostgreSQL's views. */
  readonly service: string;
  readonly broker: Broker;
  /** The topics that the service publishes to. */
  readonly topics: readonly Topic[];
  readonly log: Logger;
  readonly metrics: EventMetrics;
}

/** The number of rows that get positions and are published at a time. */
const BATCH = 500;
/** How often the outbox is looked at without a notification, in milliseconds. */
const POLL_MS = 500;
const PRUNE_INTERVAL_MS = 60_000;
/** The number of rows that one statement removes, so that none locks rows for long. */
const PRUNED_AT_ONCE = 10_000;
/** The advisory lock of the service's one active relay. */
export const RELAY_LOCK = 270_101;

/** Gives committed rows positions, and numbers within their topics, in the order of their insertion. `$1` is the broker's last position. */
const append = `
WITH "fresh" AS (
  SELECT "id", "topic" FROM "scaffold_outbox" WHERE "position" IS NULL ORDER BY "id" LIMIT ${BATCH}
), "counted" AS (
  SELECT "id", "topic", row_number() OVER (ORDER BY "id") AS "n",
    row_number() OVER (PARTITION BY "topic" ORDER BY "id") AS "of_topic"
  FROM "fresh"
), "topics" AS (
  INSERT INTO "scaffold_topics" AS "t" ("topic", "last") SELECT "topic", count(*) FROM "fresh" GROUP BY "topic"
  ON CONFLICT ("topic") DO UPDATE SET "last" = "t"."last" + excluded."last"
  RETURNING "topic", "last" - (SELECT count(*) FROM "fresh" WHERE "fresh"."topic" = "t"."topic") AS "before"
), "relay" AS (
  UPDATE "scaffold_relay" SET "sent" = greatest("sent", $1), "last" = "last" + (SELECT count(*) FROM "fresh")
  RETURNING "last" - (SELECT count(*) FROM "fresh") AS "before"
)
UPDATE "scaffold_outbox" AS "row"
SET "position" = "relay"."before" + "counted"."n", "number" = "topics"."before" + "counted"."of_topic"
FROM "counted" JOIN "topics" USING ("topic"), "relay"
WHERE "row"."id" = "counted"."id"
RETURNING "row"."position", "row"."number", "row"."topic", "row"."key", "row"."attributes", "row"."payload"`;

const unsent = `
SELECT "position", "number", "topic", "key", "attributes", "payload" FROM "scaffold_outbox"
WHERE "position" > (SELECT "sent" FROM "scaffold_relay") ORDER BY "position" LIMIT ${BATCH}`;

interface Row {
  readonly position: string;
  /** Null: the row got its position before there were numbers. */
  readonly number: string | null;
  readonly topic: string;
  readonly key: string;
  readonly attributes: Record<string, string>;
  readonly payload: Buffer;
}

/**
 * Publishes a service's outbox to the broker. Of all processes one does so at a time: the one that holds a lock in the database. Its
 * successor begins with events that may not have been published, so the broker may get an event twice. The first copies arrive in
 * order.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #leads = false;
  #isWoken = false;
  readonly #woken = new Condition();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #prunedAt = Number.NEGATIVE_INFINITY;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Has new rows published at once. Returns false if another process publishes them. */
  wake = (): boolean => {
    this.#isWoken = true;
    this.#woken.tell();
    return this.#leads;
  };

  /** Publishes the rows that are there, if the broker takes them, and ends. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#woken.tell();
    await this.#running;
  }

  #run(): Promise<void> {
    const { url, service, log } = this.#options;
    const options = {
      url,
      config: {
        application_name: `${service} (relay)`,
        query_timeout: 30_000,
        // A crash may undo the relay's notes, and the relay repeats its work then. It writes nothing else.
        options: "-c synchronous_commit=off",
      },
      stop: this.#closing.signal,
      failed(error: unknown, before: number) {
        if (before === 0) log.warn({ err: error }, "events wait in the outbox: they cannot be published");
      },
      regained: () => log.info("events are published again"),
    };
    return inSessions(options, (session) =>
      this.#connected(session).finally(() => {
        this.#leads = false;
      }),
    );
  }

  /** Waits for the lock on one connection, then publishes until something fails. */
  async #connected({ client, gone, well }: Session): Promise<void> {
    const { broker, topics } = this.#options;
    while (!(await client.query(`SELECT pg_try_advisory_lock($1) AS "leads"`, [RELAY_LOCK])).rows[0].leads) {
      await this.#pause(jittered(POLL_MS));
      if (this.#closing.signal.aborted) return;
    }
    this.#leads = true;
    client.on("notification", this.wake);
    await client.query(`LISTEN "${OUTBOX_CHANNEL}"`);
    await broker.declare(topics);
    await Promise.race([this.#lead(client, well), gone]);
  }

  async #lead(client: pg.Client, well: () => void): Promise<void> {
    let sent = await this.#passOnUnsent(client);
    well();
    for (;;) {
      const isLast = this.#closing.signal.aborted;
      this.#isWoken = false;
      const { rows } = await client.query<Row>({ name: "append", text: append, values: [sent] });
      rows.sort((a, b) => Number(a.position) - Number(b.position));
      if (rows.length > 0) sent = await this.#publish(client, rows);
      if (performance.now() - this.#lookedAt >= POLL_MS) await this.#lookAround(client);
      if (rows.length > 0) continue;
      if (isLast) return;
      if (!this.#isWoken) await this.#pause(POLL_MS);
    }
  }

  /** Does the work besides new events: replays and pruning. */
  async #lookAround(client: pg.Client): Promise<void> {
    const isReplaying = await this.#replay(client);
    await this.#prune(client);
    this.#lookedAt = isReplaying ? Number.NEGATIVE_INFINITY : performance.now();
    if (isReplaying) this.#isWoken = true;
  }

  /** Publishes rows that have positions and may not have reached the broker. Returns the last position. */
  async #passOnUnsent(client: pg.Client): Promise<string> {
    for (let sent = "0"; ; ) {
      const { rows } = await client.query<Row>(unsent);
      if (rows.length === 0) return sent;
      sent = await this.#publish(client, rows);
      await client.query(`UPDATE "scaffold_relay" SET "sent" = greatest("sent", $1)`, [sent]);
    }
  }

  /** Publishes rows in order, and returns the last position. Marks rows that the broker will never take, and leaves them out. */
  async #publish(client: pg.Client, rows: readonly Row[]): Promise<string> {
    const { broker, log, metrics } = this.#options;
    let records = rows.map(asRecord);
    for (;;) {
      try {
        await broker.publish(records);
        break;
      } catch (error) {
        if (!(error instanceof RecordRefused)) throw error;
        const refused = records[error.index];
        log.error({ err: error, topic: refused?.topic, event: refused?.attributes.id }, "the broker refuses an event");
        metrics.lost.with({ topic: refused?.topic ?? "" }).add();
        await client.query(
          `UPDATE "scaffold_outbox" SET "attributes" = "attributes" || jsonb_build_object('refused', $2::text) WHERE "attributes"->>'id' = $1`,
          [refused?.attributes.id, error.message],
        );
        records = records.filter((_, index) => index !== error.index);
        if (records.length === 0) break;
      }
    }
    for (const record of records) metrics.published.with({ topic: record.topic }).add();
    return rows.at(-1)?.position ?? "0";
  }

  /** Publishes one batch of a requested replay, so that new events do not wait for all of it. Returns whether there was one. */
  async #replay(client: pg.Client): Promise<boolean> {
    const { broker, log } = this.#options;
    const { rows: replays } = await client.query(
      `SELECT "id", "topic", "group", "after", "until", "numbers" FROM "scaffold_replays" WHERE "finished_at" IS NULL ORDER BY "id" LIMIT 1`,
    );
    const [replay] = replays;
    if (replay === undefined) return false;
    const { rows } = await client.query<Row>(
      `SELECT "position", "number", "topic", "key", "attributes", "payload" FROM "scaffold_outbox"
       WHERE "topic" = $1 AND "position" > $2 AND "position" <= $3 AND NOT "attributes" ? 'refused'
         AND ($4::int8multirange IS NULL OR "number" <@ $4)
       ORDER BY "position" LIMIT ${BATCH}`,
      [replay.topic, replay.after, replay.until, replay.numbers],
    );
    // Missing events come under their first names: an event that arrived meanwhile has no second effect.
    const marks: Record<string, string> = { replaygroup: replay.group };
    if (replay.numbers === null) marks.replay = replay.id;
    const records = rows.map(asRecord).map((record) => ({ ...record, attributes: { ...record.attributes, ...marks } }));
    if (records.length > 0) await broker.publish(records);
    const isOver = rows.length < BATCH;
    await client.query(
      `UPDATE "scaffold_replays" SET "after" = $2, "finished_at" = CASE WHEN $3 THEN now() END WHERE "id" = $1`,
      [replay.id, rows.at(-1)?.position ?? replay.after, isOver],
    );
    if (isOver) log.info({ replay: replay.id, topic: replay.topic, group: replay.group }, "replayed");
    return true;
  }

  /** Removes published rows whose retention is over, once a minute. */
  async #prune(client: pg.Client): Promise<void> {
    if (performance.now() - this.#prunedAt < PRUNE_INTERVAL_MS) return;
    this.#prunedAt = performance.now();
    for (const { name, retentionMs } of this.#options.topics) {
      await client.query(
        `DELETE FROM "scaffold_outbox" WHERE "id" IN (
           SELECT "id" FROM "scaffold_outbox" WHERE "topic" = $1 AND "created_at" < now() - $2 * interval '1 ms'
             AND "position" <= (SELECT "sent" FROM "scaffold_relay") ORDER BY "id" LIMIT ${PRUNED_AT_ONCE})`,
        [name, retentionMs],
      );
    }
  }

  async #pause(ms: number): Promise<void> {
    if (!this.#closing.signal.aborted) await this.#woken.change(ms);
  }
}

function asRecord({ position, number, topic, key, attributes, payload }: Row): EventRecord {
  const order = { sequence: position, ...(number !== null && { topicnumber: number }) };
  return { topic, key, attributes: { ...attributes, ...order }, payload };
}
