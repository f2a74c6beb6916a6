import { randomUUID } from "node:crypto";
import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { testDatabase } from "../../generator/testing/database.js";
import { execute } from "../../generator/testing/tables.js";
import { createLogger } from "../observe/log.js";
import type { EventType } from "../spec/event.js";
import { type Broker, RecordRefused } from "./broker.js";
import type { MissingTimes } from "./missing.js";
import { measureSpan, readBacklog, readMissing, replayProgress, requestReplay } from "./operate.js";
import { openPostgres } from "./postgres.js";
import type { EventRecord } from "./record.js";
import {
  type RegistrationHandler as Handler,
  openRegistrations,
  type Registered,
  type RegistrationData,
  registrationDatabase,
  startRegistrations,
} from "./testing/registrations.js";

const WAIT = { timeout: 30_000, interval: 20 };
/** At the pace of tests, in which no handler takes as long as `idleMs`. */
const TIMES: MissingTimes = { everyMs: 20, overtakenMs: 200, idleMs: 1000, share: 1 };
const source = UserService.typeName;
const PARTITIONS = 4;

let producerUrl: string;
let consumerUrl: string;
let brokerUrl: string;
const running: { close(): Promise<void> }[] = [];
/** Topic and group of each test are its own. */
let event: EventType<Registered>;
let topic: string;
let group: string;
let logged: Record<string, unknown>[];

beforeAll(async () => {
  [producerUrl, consumerUrl, brokerUrl] = await Promise.all([
    registrationDatabase(),
    registrationDatabase(),
    testDatabase(),
  ]);
});
beforeEach(async () => {
  // A relay knows the topics of its own service alone.
  await execute(producerUrl, `TRUNCATE "scaffold_outbox"`);
  topic = `test.${randomUUID()}`;
  group = `group-${randomUUID()}`;
  event = { ...userRegistered, topic, partitions: PARTITIONS };
  logged = [];
});
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
});

function open(url: string): RegistrationData {
  const data = openRegistrations(url);
  running.push(data);
  return data;
}

/** Runs what publishes, or a group that leaves a row of each event that it handles. */
function start(
  data: RegistrationData,
  {
    handler,
    broker = openPostgres(brokerUrl, { service: "test" }),
    published = [event],
    times = {},
  }: {
    handler?: Handler;
    broker?: Broker;
    published?: readonly EventType<Registered>[];
    times?: Partial<MissingTimes>;
  } = {},
) {
  const leavingRows: Handler = async (delivery, context) => {
    await handler?.(delivery, context);
    await context.tx.products.create({ name: `${group}/${delivery.event.email}` });
  };
  const retry = { maxAttempts: 3, initialBackoffMs: 1, maxBackoffMs: 1, backoffMultiplier: 1 };
  const events = startRegistrations(data, {
    name: group,
    broker,
    ...(handler === undefined ? { publishes: published } : { handler: leavingRows }),
    policy: { event, batch: 10, timeoutMs: 60_000, retry },
    log: createLogger({ name: group, level: "error" }, { write: (line: string) => logged.push(JSON.parse(line)) }),
    lookMs: 20,
    missing: { ...TIMES, ...times },
  });
  running.push(events);
  const missing = async () => {
    const line = (await events.metrics.text()).split("\n").find((line) => line.startsWith("scaffold_events_missing{"));
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ")));
  };
  return { ...events, missing };
}

const consume = (handler: Handler = () => undefined, times: Partial<MissingTimes> = {}) =>
  start(open(consumerUrl), { handler, times });

/** Publishes events of as many keys as there are, one transaction for each. */
async function publish(data: RegistrationData, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    await data.transaction((tx) => tx.publish(event, { userId: `key ${n}`, email: String(n) }));
  }
}

/** The numbers of what had its effect, in their order; one that had it twice is there twice. */
const effects = async () =>
  (await execute(consumerUrl, `SELECT "name" FROM "products" WHERE "name" LIKE '${group}/%'`)).rows
    .map(({ name }) => Number((name as string).slice(group.length + 1)))
    .sort((a, b) => a - b);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

/** Waits until the group knows from which event on it has to get all. */
const isCounting = async () =>
  expect
    .poll(
      async () =>
        (await execute(consumerUrl, `SELECT FROM "scaffold_accounts" WHERE "group" = '${group}' AND "opened"`))
          .rowCount,
      WAIT,
    )
    .toBe(1);
/** Waits until all is accounted for up to a number: taken, or noticed to be missing. */
const isSettled = async (number: number) =>
  expect
    .poll(
      async () =>
        (await execute(consumerUrl, `SELECT "numbers"::text FROM "scaffold_accounts" WHERE "group" = '${group}'`))
          .rows[0]?.numbers,
      WAIT,
    )
    .toBe(`{[1,${number + 1})}`);
const looks = async () =>
  String(
    (await execute(consumerUrl, `SELECT "at" FROM "scaffold_looks" WHERE "group" = '${group}'`)).rows[0]?.at.getTime(),
  );
/** Waits until it was looked so many times more. */
async function looked(times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    const before = await looks();
    await expect.poll(looks, WAIT).not.toBe(before);
  }
}
const missingNumbers = () => readMissing(consumerUrl, { group, source, topic });

/** Has the broker lose events for good, as one does that loses a disk. */
const lose = (numbers: readonly number[]) =>
  execute(
    brokerUrl,
    `DELETE FROM "scaffold_log" WHERE "topic" = '${topic}' AND "attributes"->>'topicnumber' IN (${numbers.map((n) => `'${n}'`).join()})`,
  );

/** A publisher whose events are at the broker, and a group that comes when it is asked to. */
async function publisher() {
  const data = open(producerUrl);
  start(data);
  const isSent = (count: number) =>
    expect
      .poll(
        async () =>
          (await execute(brokerUrl, `SELECT FROM "scaffold_log" WHERE "topic" = '${topic}'`).catch(() => undefined))
            ?.rowCount,
        WAIT,
      )
      .toBe(count);
  return { data, isSent };
}

/** Sends what the group misses, as `scaffold events replay --missing` does. */
async function fill(numbers: string): Promise<void> {
  const span = (await measureSpan(producerUrl, { topic, numbers }))!;
  const id = await requestReplay(producerUrl, group, span);
  await expect.poll(async () => (await replayProgress(producerUrl, id))?.isOver, WAIT).toBe(true);
}

test("events of a topic are numbered without gaps, whatever else is published, and keep their numbers", async () => {
  const data = open(producerUrl);
  const other = { ...event, topic: `${topic}.other` };
  await data.transaction(async (tx) => {
    for (const n of range(1, 600)) {
      await tx.publish(event, { userId: `key ${n}` });
      await tx.publish(other, { userId: `key ${n}` });
    }
  });
  start(data, { published: [event, other] });
  const numbers = async (of: string) =>
    (
      await execute(
        producerUrl,
        `SELECT array_agg("number"::integer ORDER BY "id") AS "numbers" FROM "scaffold_outbox" WHERE "topic" = '${of}' AND "number" IS NOT NULL`,
      )
    ).rows[0].numbers;
  await expect.poll(() => numbers(topic), WAIT).toEqual(range(1, 600));
  await expect.poll(() => numbers(other.topic), WAIT).toEqual(range(1, 600));
});

test("what the broker lost is noticed, said once, and brought by a replay that has no other effect", async () => {
  const { data, isSent } = await publisher();
  await publish(data, 1, 20);
  const first = consume();
  await expect.poll(effects, WAIT).toEqual(range(1, 20));
  await isCounting();
  expect(await first.missing()).toBe(0);
  await first.close();

  await publish(data, 21, 60);
  await isSent(60);
  await lose([...range(30, 35), 41]);
  const second = consume();
  await expect.poll(second.missing, WAIT).toBe(7);
  expect(await effects()).toEqual([...range(1, 29), ...range(36, 40), ...range(42, 60)]);
  await isSettled(60);
  expect(await missingNumbers()).toEqual({ numbers: "{[30,36),[41,42)}", count: 7 });
  expect((await readBacklog(consumerUrl, group)).get(topic)).toMatchObject({ waiting: 0, deadLetters: 0, missing: 7 });
  await looked(3);
  expect(logged).toMatchObject([
    {
      level: "error",
      topic,
      source,
      first: "30",
      last: "41",
      count: 7,
      msg: expect.stringContaining(`scaffold events replay --missing --topic ${topic} --group ${group}`),
    },
  ]);

  await fill("{[30,36),[41,42)}");
  await expect.poll(second.missing, WAIT).toBe(0);
  expect(await effects()).toEqual(range(1, 60));
  expect(await missingNumbers()).toBeUndefined();
  // Also where somebody sends all, for want of the group's database: it knows what it has had.
  await fill("{(,)}");
  await publish(data, 61, 61);
  await expect.poll(effects, WAIT).toEqual(range(1, 61));
  await isSettled(61);
  expect(await second.missing()).toBe(0);
  expect(logged).toHaveLength(1);
});

test("a group that comes late does not miss what was gone before it", async () => {
  const { data, isSent } = await publisher();
  await publish(data, 1, 40);
  await isSent(40);
  // Brokers remove old events partition by partition, and not evenly.
  await execute(
    brokerUrl,
    `DELETE FROM "scaffold_log" WHERE "topic" = '${topic}' AND ("attributes"->>'topicnumber')::integer < 10 + 8 * "partition"`,
  );
  const late = consume();
  await isCounting();
  await publish(data, 41, 60);
  await expect.poll(async () => (await effects()).at(-1), WAIT).toBe(60);
  await expect
    .poll(
      async () =>
        (
          await execute(
            consumerUrl,
            `SELECT upper("numbers")::text AS "end", "numbers" = int8multirange(range_merge("numbers")) AS "settled" FROM "scaffold_accounts" WHERE "group" = '${group}'`,
          )
        ).rows,
      WAIT,
    )
    .toEqual([{ end: "61", settled: true }]);
  await looked(3);
  expect(await late.missing()).toBe(0);
  expect(logged).toEqual([]);
});

test("what is behind a slow event of its partition is on its way, however far the others are", async () => {
  const { data } = await publisher();
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let held: string | undefined;
  const consumer = consume(async ({ event: { email }, key, attempt }) => {
    if (Number(email) <= 20) return;
    held ??= key;
    if (key !== held || attempt > 1) return;
    await released;
    throw new Error("not yet");
  });
  await publish(data, 1, 20);
  await expect.poll(effects, WAIT).toEqual(range(1, 20));
  await isCounting();
  await publish(data, 21, 100);
  await expect.poll(async () => (await effects()).length, WAIT).toBeGreaterThan(60);
  // Its partition is taken for idle, and is not empty.
  await expect
    .poll(
      async () =>
        (
          await execute(
            consumerUrl,
            `SELECT count(*)::integer AS "idle" FROM (
               SELECT FROM "scaffold_inbox" WHERE "group" = '${group}' GROUP BY "partition"
               HAVING max("taken_at") < now() - ${2 * TIMES.idleMs} * interval '1 ms') AS "idle"`,
          )
        ).rows[0].idle,
      WAIT,
    )
    .toBe(PARTITIONS);
  await looked(3);
  expect(await consumer.missing()).toBe(0);
  release();
  await expect.poll(effects, WAIT).toEqual(range(1, 100));
  await isSettled(100);
  expect(await consumer.missing()).toBe(0);
  expect(logged).toEqual([]);
});

test("two instances count as one, and both tell", async () => {
  const { data, isSent } = await publisher();
  await publish(data, 1, 20);
  const instances = [consume(), consume()] as const;
  await expect.poll(effects, WAIT).toEqual(range(1, 20));
  await isCounting();
  for (const instance of instances) await instance.stopConsuming();
  await publish(data, 21, 60);
  await isSent(60);
  await lose([25, 50]);
  const [one, other] = [consume(), consume()];
  await expect.poll(one.missing, WAIT).toBe(2);
  await expect.poll(other.missing, WAIT).toBe(2);
  await isSettled(60);
  // It was told by the one that noticed.
  expect(logged).toMatchObject([{ count: 2 }]);
});

test("a relay that was cut off between numbering and sending sends under the same numbers", async () => {
  const data = open(producerUrl);
  const real = openPostgres(brokerUrl, { service: "test" });
  let refusals = 3;
  const broker: Broker = {
    ...real,
    async publish(records) {
      if (refusals-- > 0) {
        // A broker may have taken a part before its connection broke.
        if (refusals === 1) await real.publish(records.slice(0, 3));
        throw new Error("cut off");
      }
      await real.publish(records);
    },
  };
  start(data, { broker });
  const consumer = consume();
  await publish(data, 1, 20);
  await expect.poll(effects, WAIT).toEqual(range(1, 20));
  await isCounting();
  refusals = 3;
  await publish(data, 21, 40);
  await expect.poll(effects, WAIT).toEqual(range(1, 40));
  await isSettled(40);
  expect(await consumer.missing()).toBe(0);
});

test("an event that comes again under another number counts under both", async () => {
  const { data, isSent } = await publisher();
  const consumer = consume();
  await publish(data, 1, 10);
  await expect.poll(effects, WAIT).toEqual(range(1, 10));
  await isCounting();
  // The publisher's database crashed, and lost what its relay had noted of the newest events.
  const { rows } = await execute(
    brokerUrl,
    `SELECT "key", "attributes", "payload" FROM "scaffold_log" WHERE "topic" = '${topic}' ORDER BY ("attributes"->>'topicnumber')::integer`,
  );
  const again = rows.slice(-2).map(({ key, attributes, payload }, n): EventRecord => {
    return { topic, key, attributes: { ...attributes, topicnumber: String(11 + n) }, payload };
  });
  const broker = openPostgres(brokerUrl, { service: "test" });
  running.push(broker);
  await broker.declare([{ name: topic, partitions: PARTITIONS, retentionMs: 1e9, groups: [] }]);
  await broker.publish(again);
  await execute(producerUrl, `UPDATE "scaffold_topics" SET "last" = 12 WHERE "topic" = '${topic}'`);
  await publish(data, 13, 30);
  await isSent(30);
  await isSettled(30);
  expect(await consumer.missing()).toBe(0);
  expect(await effects()).toEqual([...range(1, 10), ...range(13, 30)]);
});

test("what a broker refuses, its publisher counts as lost and each group as missing", async () => {
  const data = open(producerUrl);
  const real = openPostgres(brokerUrl, { service: "test" });
  const broker: Broker = {
    ...real,
    async publish(records) {
      const index = records.findIndex(({ key }) => key === "key 25");
      if (index !== -1) throw new RecordRefused(index, "larger than max.message.bytes");
      await real.publish(records);
    },
  };
  start(data, { broker });
  const consumer = consume();
  await publish(data, 1, 20);
  await expect.poll(effects, WAIT).toEqual(range(1, 20));
  await isCounting();
  await publish(data, 21, 40);
  await expect.poll(consumer.missing, WAIT).toBe(1);
  const { rows } = await execute(
    producerUrl,
    `SELECT "number" FROM "scaffold_outbox" WHERE "topic" = '${topic}' AND "attributes" ? 'refused'`,
  );
  expect(rows).toEqual([{ number: "25" }]);
  expect(await missingNumbers()).toEqual({ numbers: "{[25,26)}", count: 1 });
  // There is nothing to send.
  expect(await measureSpan(producerUrl, { topic, numbers: "{[25,26)}" })).toBeUndefined();
});

test("events of publishers that number none, and numbers that are none, are left out of account", async () => {
  const { data } = await publisher();
  const consumer = consume();
  await publish(data, 1, 10);
  await expect.poll(effects, WAIT).toEqual(range(1, 10));
  await isCounting();
  const broker = openPostgres(brokerUrl, { service: "test" });
  running.push(broker);
  await broker.declare([{ name: topic, partitions: PARTITIONS, retentionMs: 1e9, groups: [] }]);
  const payload = event.codec.toBytes({ ...event.schema, email: "" } as never);
  const foreign = (id: string, topicnumber?: string): EventRecord => ({
    topic,
    key: "foreign",
    attributes: {
      id: `${group}-${id}`,
      source: "elsewhere",
      type: "?",
      ...(topicnumber !== undefined && { topicnumber }),
    },
    payload,
  });
  await broker.publish([
    foreign("1"),
    foreign("2", "0"),
    foreign("3", "99999999999999999999"),
    foreign("4", "x"),
    foreign("5", "-7"),
  ]);
  await expect
    .poll(
      async () =>
        (
          await execute(
            consumerUrl,
            `SELECT FROM "scaffold_inbox" WHERE "group" = '${group}' AND "source" = 'elsewhere' AND "number" IS NULL`,
          )
        ).rowCount,
      WAIT,
    )
    .toBe(5);
  await publish(data, 11, 20);
  await isSettled(20);
  expect(await consumer.missing()).toBe(0);
});

/** A fixed sequence of numbers that look random (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test.each([1, 2, 3, 4])(
  "whatever is dropped, doubled, or late in a partition: what was dropped is missing (seed %i)",
  async (seed) => {
    const random = randomOf(seed);
    const broker = openPostgres(brokerUrl, { service: "test" });
    running.push(broker);
    await broker.declare([{ name: topic, partitions: PARTITIONS, retentionMs: 1e9, groups: [group] }]);
    const consumer = consume();
    const record = (n: number): EventRecord => ({
      topic,
      key: `key ${n % 13}`,
      attributes: {
        id: `${topic}-${n}`,
        source,
        type: event.schema.typeName,
        time: new Date().toISOString(),
        topicnumber: String(n),
      },
      payload: event.codec.toBytes({ $typeName: event.schema.typeName, userId: "", email: String(n) } as never),
    });
    await broker.publish(range(1, 30).map(record));
    await expect.poll(effects, WAIT).toEqual(range(1, 30));
    await isCounting();
    const last = 400;
    const dropped = range(31, last - 1).filter(() => random() < 0.1);
    const sent = range(31, last).filter((n) => !dropped.includes(n));
    // Each partition gets its own in their order, at its own time, and some twice.
    const queues = range(0, PARTITIONS - 1).map((residue) => sent.filter((n) => (n % 13) % PARTITIONS === residue));
    while (queues.some((queue) => queue.length > 0)) {
      const queue = queues[Math.floor(random() * PARTITIONS)]!;
      const part = queue.splice(0, 1 + Math.floor(random() * 20));
      await broker.publish(part.flatMap((n) => (random() < 0.2 ? [record(n), record(n)] : [record(n)])));
    }
    await isSettled(last);
    const { rows } = await execute(
      consumerUrl,
      `SELECT "n"::integer FROM "scaffold_missing", unnest("numbers") AS "run", generate_series(lower("run"), upper("run") - 1) AS "n" WHERE "group" = '${group}' ORDER BY "n"`,
    );
    expect(rows.map(({ n }) => n)).toEqual(dropped);
    await expect.poll(consumer.missing, WAIT).toBe(dropped.length);
    expect(await effects()).toEqual([...range(1, 30), ...sent]);
  },
);
