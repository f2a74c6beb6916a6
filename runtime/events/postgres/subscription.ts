import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { backoffMs, jittered } from "../../call/backoff.js";
import { inSessions, type Session } from "../../data/postgres/sessions.js";
import type { Logger } from "../../observe/log.js";
import type { Backoff } from "../../spec/retry.js";
import type { BrokerSubscription, SubscribeOptions, Topic } from "../broker.js";
import type { ReceivedRecord } from "../record.js";
import { LOG_CHANNEL } from "./schema.js";

export interface PostgresSubscriptionOptions extends SubscribeOptions {
  readonly service: string;
  readonly log: Logger | undefined;
  declare(topics: readonly Topic[]): Promise<void>;
}

/** How often a member renews its leases and counts the other members, in milliseconds. */
const HEARTBEAT_MS = 1000;
/** How long the leases of a member and of its partitions last, in milliseconds. */
const LEASE_MS = 5000;
/** How often positions are committed, in milliseconds. After a crash, records that are settled and not committed are redelivered. */
const COMMIT_MS = 100;
/** The delays between attempts to settle records. */
const RETRY: Backoff = { initialBackoffMs: 200, maxBackoffMs: 5000, backoffMultiplier: 2 };

/** A partition that this member owns. */
interface Held {
  readonly topic: string;
  readonly partition: number;
  readonly lost: AbortController;
  /** The position up to which records are settled, and the one that is committed. */
  settled: bigint;
  committed: bigint;
  /** Whether the partition is given back after the batch under way. */
  isLeft: boolean;
  isWoken: boolean;
  wake: () => void;
  done: Promise<void>;
}

/** The next records of a partition, and the position of the last one. */
interface Fetched {
  readonly records: ReceivedRecord[];
  last: bigint;
}

interface Asked {
  readonly held: Held;
  resolve(fetched: Fetched): void;
  reject(error: unknown): void;
}

const fetch = `
SELECT "asked"."asker"::integer, "log"."topic", "log"."partition", "log"."position", "log"."key", "log"."attributes", "log"."payload"
FROM unnest($1::text[], $2::integer[], $3::bigint[]) WITH ORDINALITY AS "asked" ("topic", "partition", "after", "asker")
CROSS JOIN LATERAL (
  SELECT * FROM "scaffold_log" AS "l"
  WHERE "l"."topic" = "asked"."topic" AND "l"."partition" = "asked"."partition" AND "l"."position" > "asked"."after"
  ORDER BY "l"."position" LIMIT $4
) AS "log" ORDER BY "asked"."asker", "log"."position"`;

/** One member of a group, over a log in PostgreSQL. It owns its share of the partitions and hands out their records. */
export class PostgresSubscription implements BrokerSubscription {
  readonly #url: string;
  readonly #pool: pg.Pool;
  readonly #options: PostgresSubscriptionOptions;
  readonly #member = randomUUID();
  readonly #held = new Map<string, Held>();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  readonly #asked: Asked[] = [];
  #committing: NodeJS.Timeout | undefined;
  #settled: () => void = () => undefined;
  readonly #isReady = new Promise<void>((resolve) => {
    this.#settled = resolve;
  });
  #heardAt = Number.NEGATIVE_INFINITY;

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
    const { service, log, group } = this.#options;
    const options = {
      url: () => Promise.resolve(this.#url),
      config: { application_name: `${service} (consumer)`, query_timeout: LEASE_MS },
      stop: this.#closing.signal,
      failed: (error: unknown, before: number) => {
        if (before === 0) log?.warn({ err: error, group }, "events wait: the broker does not answer");
        this.#loseIfExpired();
      },
      regained: () => log?.info({ group }, "the broker answers again"),
    };
    await inSessions(options, (session) => this.#connected(session));
    this.#settled();
    await this.#leave();
  }

  /** Listens for new records and renews the leases over one connection. */
  async #connected({ client, gone, well }: Session): Promise<void> {
    const { topics, group } = this.#options;
    client.on("notification", ({ payload = "" }) => wake(this.#held.get(payload)));
    await client.query(`LISTEN "${LOG_CHANNEL}"`);
    await this.#options.declare(topics.map((topic) => ({ ...topic, groups: [...new Set([...topic.groups, group])] })));
    while (!this.#closing.signal.aborted) {
      await this.#heartbeat(client);
      well();
      this.#settled();
      await Promise.race([this.#sleep(jittered(HEARTBEAT_MS)), gone]);
    }
  }

  /** Renews this member's leases, and takes and gives back partitions. */
  async #heartbeat(client: pg.Client): Promise<void> {
    const { group } = this.#options;
    const topics = this.#options.topics.map(({ name }) => name);
    const begun = performance.now();
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
       RETURNING "g"."topic", "g"."partition", "g"."committed", "p"."next" - 1 > "g"."committed" AS "behind"`,
      [group, this.#member, LEASE_MS],
    );
    this.#heardAt = begun;
    const mine = new Set(kept.map(({ topic, partition }) => `${topic}/${partition}`));
    for (const [id, held] of this.#held) if (!mine.has(id)) this.#lose(id, held);
    for (const { topic, partition, committed, behind } of kept) {
      const held = this.#held.get(`${topic}/${partition}`);
      // This member lost the partition by silence, and no other member has taken it since.
      if (held === undefined) this.#hold(topic, partition, BigInt(committed));
      else if (behind) wake(held);
    }
    await this.#share(client, topics);
  }

  /** Takes or gives back partitions of each topic, until this member has its share: as many as every other member, or one more. */
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
      settled: committed,
      committed,
      isLeft: false,
      isWoken: true,
      wake: () => undefined,
      done: Promise.resolve(),
    };
    const id = `${topic}/${partition}`;
    this.#held.set(id, held);
    held.done = this.#consume(held);
  }

  /** Hands out a partition's records after the last settled one, for as long as this member owns the partition. */
  async #consume(held: Held): Promise<void> {
    const { log, group, handle } = this.#options;
    const { topic, partition, lost } = held;
    let failures = 0;
    while (!lost.signal.aborted && !held.isLeft && !this.#closing.signal.aborted) {
      held.isWoken = false;
      try {
        const { records, last } = await this.#fetch(held);
        if (records.length > 0) {
          await handle(records, lost.signal);
          held.settled = last;
          this.#commitSoon();
        }
        failures = 0;
        if (records.length === 0 && !held.isWoken) await this.#idle(held);
      } catch (error) {
        if (lost.signal.aborted) return;
        if (failures++ === 0) log?.warn({ err: error, group, topic, partition }, "events wait: they cannot be settled");
        await this.#sleep(backoffMs(failures, RETRY), lost.signal);
      }
    }
  }

  /** Returns the next records of a partition. One statement serves all partitions that ask in the same turn of the event loop. */
  #fetch(held: Held): Promise<Fetched> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ held, resolve, reject });
      if (this.#asked.length === 1) setImmediate(() => void this.#fetchAll());
    });
  }

  async #fetchAll(): Promise<void> {
    const asked = this.#asked.splice(0);
    try {
      const values = [
        asked.map(({ held }) => held.topic),
        asked.map(({ held }) => held.partition),
        asked.map(({ held }) => String(held.settled)),
        this.#options.batch,
      ];
      const { rows } = await this.#pool.query({ name: "fetch", text: fetch, values });
      const found = asked.map(({ held }): Fetched => ({ records: [], last: held.settled }));
      for (const { asker, topic, partition, position, key, attributes, payload } of rows) {
        const one = found[asker - 1];
        if (one === undefined) continue;
        const place = { partition, position: `${partition}/${position}` };
        one.records.push({ topic, key, attributes, payload, ...place, redelivered: false });
        one.last = BigInt(position);
      }
      for (const [index, { resolve }] of asked.entries()) resolve(found[index] as Fetched);
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }

  #commitSoon(): void {
    this.#committing ??= setTimeout(() => {
      this.#committing = undefined;
      // The next commit includes what this one could not write.
      this.#commit([...this.#held.values()]).catch(() => undefined);
    }, COMMIT_MS);
  }

  /** Commits the settled positions of partitions, by one statement. */
  async #commit(list: readonly Held[]): Promise<void> {
    const changed = list.filter(({ settled, committed }) => settled > committed);
    if (changed.length === 0) return;
    const settled = changed.map((held) => held.settled);
    await this.#pool.query(
      `UPDATE "scaffold_groups" AS "g" SET "committed" = "new"."settled"
       FROM unnest($3::text[], $4::integer[], $5::bigint[]) AS "new" ("topic", "partition", "settled")
       WHERE "g"."group" = $1 AND "g"."owner" = $2 AND "g"."topic" = "new"."topic" AND "g"."partition" = "new"."partition"
         AND "g"."committed" < "new"."settled"`,
      [
        this.#options.group,
        this.#member,
        changed.map(({ topic }) => topic),
        changed.map(({ partition }) => partition),
        settled.map(String),
      ],
    );
    for (const [index, held] of changed.entries()) held.committed = settled[index] as bigint;
  }

  /** Waits until there may be new records. */
  async #idle(held: Held): Promise<void> {
    await new Promise<void>((resolve) => {
      held.wake = resolve;
      if (held.isWoken || held.lost.signal.aborted || this.#closing.signal.aborted) resolve();
    });
    held.wake = () => undefined;
  }

  /** Gives a partition back once the batch under way is settled. */
  #giveBack(held: Held): void {
    held.isLeft = true;
    held.wake();
    void held.done
      .then(() => this.#release([held]))
      // Its lease ends by itself.
      .catch(() => undefined)
      .finally(() => {
        const id = `${held.topic}/${held.partition}`;
        if (this.#held.get(id) === held) this.#held.delete(id);
      });
  }

  #lose(id: string, held: Held): void {
    this.#held.delete(id);
    held.lost.abort(new Error("the partition is another member's now"));
    held.wake();
  }

  /** Drops all partitions once the leases that were last renewed have run out. */
  #loseIfExpired(): void {
    if (performance.now() - this.#heardAt < LEASE_MS) return;
    for (const [id, held] of this.#held) this.#lose(id, held);
  }

  async #release(list: readonly Held[]): Promise<void> {
    await this.#commit(list);
    await this.#pool.query(
      `UPDATE "scaffold_groups" AS "g" SET "owner" = NULL, "leased_until" = '-infinity'
       FROM unnest($3::text[], $4::integer[]) AS "left" ("topic", "partition")
       WHERE "g"."group" = $1 AND "g"."owner" = $2 AND "g"."topic" = "left"."topic" AND "g"."partition" = "left"."partition"`,
      [this.#options.group, this.#member, list.map(({ topic }) => topic), list.map(({ partition }) => partition)],
    );
  }

  /** Gives all partitions back, so that other members need not wait for the leases to run out. */
  async #leave(): Promise<void> {
    const held = [...this.#held.values()];
    for (const one of held) one.wake();
    await Promise.all(held.map(({ done }) => done));
    clearTimeout(this.#committing);
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
