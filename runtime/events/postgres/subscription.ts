import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "../../observe/log.js";
import type { BrokerSubscription, SubscribeOptions, Topic } from "../broker.js";
import type { ReceivedRecord } from "../record.js";
import { LOG_CHANNEL } from "./schema.js";

export interface PostgresSubscriptionOptions extends SubscribeOptions {
  readonly service: string;
  readonly log: Logger | undefined;
  declare(topics: readonly Topic[]): Promise<void>;
}

/** How often a member says that it is there, and looks at who else is, in milliseconds. */
const BEAT_MS = 1000;
/** How long a member and its partitions are its own without a word, in milliseconds. */
const LEASE_MS = 5000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

/** A partition that this member holds. */
interface Held {
  readonly topic: string;
  readonly partition: number;
  readonly lost: AbortController;
  /** Set when it is to be given back after the batch that is under way. */
  isLeft: boolean;
  isWoken: boolean;
  wake: () => void;
  done: Promise<void>;
}

/** One member of a group, over a log in PostgreSQL: takes its share of the partitions, and hands out what is in them. */
export class PostgresSubscription implements BrokerSubscription {
  readonly #url: string;
  readonly #pool: pg.Pool;
  readonly #options: PostgresSubscriptionOptions;
  readonly #member = randomUUID();
  readonly #held = new Map<string, Held>();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #settled: () => void = () => undefined;
  readonly #isReady = new Promise<void>((resolve) => {
    this.#settled = resolve;
  });
  #failures = 0;
  #heardAt = 0;

  constructor(url: string, pool: pg.Pool, options: PostgresSubscriptionOptions) {
    this.#url = url;
    this.#pool = pool;
    this.#options = options;
    this.#running = this.#run();
  }

  ready(): Promise<void> {
    return this.#isReady;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, group } = this.#options;
    while (!this.#closing.signal.aborted) {
      try {
        await this.#connected();
      } catch (error) {
        if (this.#failures++ === 0) log?.warn({ err: error, group }, "events wait: the broker does not answer");
        this.#loseIfExpired();
      }
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures, 10));
      await this.#sleep(pause * (0.5 + Math.random() / 2));
    }
    this.#settled();
    await this.#leave();
  }

  /** The time of one connection, which hears what is new and keeps the leases. */
  async #connected(): Promise<void> {
    const { service, topics, log, group } = this.#options;
    await this.#options.declare(topics.map((topic) => ({ ...topic, groups: [...new Set([...topic.groups, group])] })));
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: `${service} (consumer)`,
      connectionTimeoutMillis: 2000,
      query_timeout: LEASE_MS,
      keepAlive: true,
    });
    const gone = new Promise<never>((_, reject) => {
      client.on("error", reject);
      client.on("end", () => reject(new Error("the connection to the broker was lost")));
    });
    gone.catch(() => undefined);
    client.on("notification", ({ payload = "" }) => wake(this.#held.get(payload)));
    try {
      await client.connect();
      await client.query(`LISTEN "${LOG_CHANNEL}"`);
      while (!this.#closing.signal.aborted) {
        await this.#beat(client);
        if (this.#failures > 0) log?.info({ group }, "the broker answers again");
        this.#failures = 0;
        this.#settled();
        await Promise.race([this.#sleep(BEAT_MS * (0.75 + Math.random() / 2)), gone]);
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Says that this member is there, and takes, keeps or gives back partitions. */
  async #beat(client: pg.Client): Promise<void> {
    const { group } = this.#options;
    const topics = this.#options.topics.map(({ name }) => name);
    const begun = Date.now();
    await client.query(
      `INSERT INTO "scaffold_members" ("group", "member", "topics", "leased_until")
       VALUES ($1, $2, $3, now() + $4 * interval '1 ms')
       ON CONFLICT ("group", "member") DO UPDATE SET "leased_until" = excluded."leased_until"`,
      [group, this.#member, topics, LEASE_MS],
    );
    await client.query(`DELETE FROM "scaffold_members" WHERE "group" = $1 AND "leased_until" < now()`, [group]);
    const { rows: kept } = await client.query(
      `UPDATE "scaffold_groups" AS "g" SET "leased_until" = now() + $3 * interval '1 ms'
       FROM "scaffold_partitions" AS "p"
       WHERE "g"."group" = $1 AND "g"."owner" = $2 AND "p"."topic" = "g"."topic" AND "p"."partition" = "g"."partition"
       RETURNING "g"."topic", "g"."partition", "p"."next" - 1 > "g"."committed" AS "behind"`,
      [group, this.#member, LEASE_MS],
    );
    this.#heardAt = begun;
    const mine = new Set(kept.map(({ topic, partition }) => `${topic}/${partition}`));
    for (const [id, held] of this.#held) if (!mine.has(id)) this.#lose(id, held);
    for (const { topic, partition, behind } of kept) if (behind) wake(this.#held.get(`${topic}/${partition}`));
    await this.#share(client, topics);
  }

  /** Of each topic a member has its part: as many partitions as every other that consumes it, or one more. */
  async #share(client: pg.Client, topics: readonly string[]): Promise<void> {
    const { group } = this.#options;
    const { rows } = await client.query(
      `SELECT "topic", count(*)::integer AS "partitions",
         (SELECT count(*)::integer FROM "scaffold_members" WHERE "group" = $1 AND "topic" = ANY ("topics")) AS "members"
       FROM "scaffold_groups" WHERE "group" = $1 AND "topic" = ANY ($2) GROUP BY "topic"`,
      [group, topics],
    );
    for (const { topic, partitions, members } of rows) {
      const share = Math.ceil(partitions / Math.max(1, members));
      const own = [...this.#held.values()].filter((held) => held.topic === topic && !held.isLeft);
      for (const held of own.slice(share)) this.#giveBack(held);
      if (own.length >= share) continue;
      const { rows: taken } = await client.query(
        `UPDATE "scaffold_groups" SET "owner" = $2, "leased_until" = now() + $5 * interval '1 ms'
         WHERE "group" = $1 AND "topic" = $3 AND "partition" IN (
           SELECT "partition" FROM "scaffold_groups"
           WHERE "group" = $1 AND "topic" = $3 AND ("owner" IS NULL OR "leased_until" < now()) AND "owner" IS DISTINCT FROM $2
           ORDER BY "partition" LIMIT $4 FOR UPDATE SKIP LOCKED)
         RETURNING "partition", "committed"`,
        [group, this.#member, topic, share - own.length, LEASE_MS],
      );
      for (const { partition, committed } of taken) this.#hold(topic, partition, BigInt(committed));
    }
  }

  #hold(topic: string, partition: number, committed: bigint): void {
    const held: Held = {
      topic,
      partition,
      lost: new AbortController(),
      isLeft: false,
      isWoken: true,
      wake: () => undefined,
      done: Promise.resolve(),
    };
    const id = `${topic}/${partition}`;
    this.#held.set(id, held);
    held.done = this.#consume(held, committed).finally(() => {
      if (this.#held.get(id) === held) this.#held.delete(id);
    });
  }

  /** Hands out a partition's records, from the last settled one on, as long as it is held. */
  async #consume(held: Held, committed: bigint): Promise<void> {
    const { log, group, handle, batch } = this.#options;
    const { topic, partition, lost } = held;
    let at = committed;
    let failures = 0;
    while (!lost.signal.aborted && !held.isLeft && !this.#closing.signal.aborted) {
      held.isWoken = false;
      try {
        const { records, last } = await this.#fetch(held, at, batch);
        if (records.length > 0) {
          await handle(records, lost.signal);
          if (!(await this.#commit(held, last))) return;
          at = last;
        }
        failures = 0;
        if (records.length === 0 && !held.isWoken) await this.#idle(held);
      } catch (error) {
        if (lost.signal.aborted) return;
        if (failures++ === 0) log?.warn({ err: error, group, topic, partition }, "events wait: they cannot be settled");
        const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10));
        await this.#sleep(pause * (0.5 + Math.random() / 2), lost.signal);
      }
    }
  }

  async #fetch(
    { topic, partition }: Held,
    after: bigint,
    batch: number,
  ): Promise<{ records: ReceivedRecord[]; last: bigint }> {
    const { rows } = await this.#pool.query(
      `SELECT "position", "key", "attributes", "payload" FROM "scaffold_log"
       WHERE "topic" = $1 AND "partition" = $2 AND "position" > $3 ORDER BY "position" LIMIT $4`,
      [topic, partition, String(after), batch],
    );
    const records = rows.map(({ position, key, attributes, payload }) => ({
      topic,
      key,
      attributes,
      payload,
      position: `${partition}/${position}`,
      redelivered: false,
    }));
    return { records, last: BigInt(rows.at(-1)?.position ?? after) };
  }

  /** False: the partition is somebody else's by now. */
  async #commit({ topic, partition }: Held, position: bigint): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      `UPDATE "scaffold_groups" SET "committed" = greatest("committed", $5)
       WHERE "group" = $1 AND "owner" = $2 AND "topic" = $3 AND "partition" = $4`,
      [this.#options.group, this.#member, topic, partition, String(position)],
    );
    return rowCount === 1;
  }

  /** Waits until something may be new. */
  async #idle(held: Held): Promise<void> {
    await new Promise<void>((resolve) => {
      held.wake = resolve;
      if (held.isWoken || held.lost.signal.aborted || this.#closing.signal.aborted) resolve();
    });
    held.wake = () => undefined;
  }

  /** Another member is to have it, once the batch that is under way is settled. */
  #giveBack(held: Held): void {
    held.isLeft = true;
    held.wake();
    void held.done.then(() => this.#release([held])).catch(() => undefined);
  }

  #lose(id: string, held: Held): void {
    this.#held.delete(id);
    held.lost.abort(new Error("the partition is another member's now"));
    held.wake();
  }

  /** Nothing is this member's for longer than the leases that it last heard of. */
  #loseIfExpired(): void {
    if (Date.now() - this.#heardAt < LEASE_MS) return;
    for (const [id, held] of this.#held) this.#lose(id, held);
  }

  async #release(list: readonly Held[]): Promise<void> {
    await this.#pool.query(
      `UPDATE "scaffold_groups" AS "g" SET "owner" = NULL, "leased_until" = '-infinity'
       FROM unnest($3::text[], $4::integer[]) AS "left" ("topic", "partition")
       WHERE "g"."group" = $1 AND "g"."owner" = $2 AND "g"."topic" = "left"."topic" AND "g"."partition" = "left"."partition"`,
      [this.#options.group, this.#member, list.map(({ topic }) => topic), list.map(({ partition }) => partition)],
    );
  }

  /** Gives everything back, so that others need not wait for its lease to end. */
  async #leave(): Promise<void> {
    const held = [...this.#held.values()];
    for (const one of held) one.wake();
    await Promise.all(held.map(({ done }) => done));
    try {
      await this.#release(held);
      await this.#pool.query(`DELETE FROM "scaffold_members" WHERE "group" = $1 AND "member" = $2`, [
        this.#options.group,
        this.#member,
      ]);
    } catch {
      // The lease ends by itself.
    }
  }

  async #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const stop = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    await sleep(ms, undefined, { signal: stop }).catch(() => undefined);
  }
}

function wake(held: Held | undefined): void {
  if (held === undefined) return;
  held.isWoken = true;
  held.wake();
}
