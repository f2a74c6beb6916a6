import type { MessageShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { sql } from "drizzle-orm";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { testDatabase } from "../../generator/testing/database.js";
import { execute } from "../../generator/testing/tables.js";
import type { SubscriptionSpec } from "../spec/event.js";
import type { Broker } from "./broker.js";
import { Unprocessable } from "./delivery.js";
import { openPostgres } from "./postgres.js";
import type { Events } from "./start.js";
import {
  type RegistrationHandler as Handler,
  openRegistrations,
  type Registered,
  type RegistrationData,
  registrationDatabase,
  startRegistrations,
} from "./testing/registrations.js";

const WAIT = { timeout: 30_000, interval: 20 };

let producerUrl: string;
let consumerUrl: string;
let brokerUrl: string;
const running: { close(): Promise<void> }[] = [];
let names = 0;
/** Groups and keys of each test are its own, for all share the databases. */
let group: string;

beforeAll(async () => {
  [producerUrl, consumerUrl, brokerUrl] = await Promise.all([
    registrationDatabase(),
    registrationDatabase(),
    testDatabase(),
  ]);
});
beforeEach(() => {
  group = `group-${++names}`;
});
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
});

function broker(): Broker {
  return openPostgres(brokerUrl, { service: "test" });
}

/** Runs a service's events: what it publishes with `publishes`, what it consumes with a handler. */
function start(
  data: RegistrationData,
  options: { publishes?: boolean; handler?: Handler; policy?: Partial<SubscriptionSpec> },
): Events {
  const { publishes = false, ...consumes } = options;
  const events = startRegistrations(data, {
    name: group,
    broker: broker(),
    ...(publishes && { publishes: [userRegistered] }),
    ...consumes,
  });
  running.push(data, events);
  return events;
}

const event = (userId: string, email = "") => ({ userId: `${group}/${userId}`, email });
const publish = (data: RegistrationData, userId: string, email?: string) =>
  data.transaction((tx) => tx.publish(userRegistered, event(userId, email)));

/** A handler that leaves a row of what it handled. Events of other tests are let go. */
function keep(handled: string[], before: Handler = () => undefined): Handler {
  return async (delivery, context) => {
    const { userId, email } = delivery.event;
    if (!userId.startsWith(`${group}/`)) return;
    await before(delivery, context);
    await context.tx.products.create({ name: userId, tags: [email] });
    handled.push(email);
  };
}

const rows = async () =>
  (
    await execute(
      consumerUrl,
      `SELECT "tags"->>0 AS "tag" FROM "products" WHERE "name" LIKE '${group}/%' ORDER BY "id"`,
    )
  ).rows.map(({ tag }) => tag as string);
const deadLetters = async () =>
  (
    await execute(
      consumerUrl,
      `SELECT "key", "reason", "attempts", "parked" FROM "scaffold_dead_letters" WHERE "group" = '${group}' AND "key" LIKE '${group}/%' ORDER BY "seq"`,
    )
  ).rows;
const waiting = async () =>
  (await execute(consumerUrl, `SELECT FROM "scaffold_waiting" WHERE "group" = '${group}'`)).rowCount;

test("what is committed is handled once, in order of its key; what is rolled back is not", async () => {
  const producer = openRegistrations(producerUrl);
  const handled: string[] = [];
  start(producer, { publishes: true });
  start(openRegistrations(consumerUrl), { handler: keep(handled) });
  for (let n = 0; n < 20; n++) await publish(producer, "ada", String(n));
  const rolledBack = producer.transaction(async (tx) => {
    await tx.publish(userRegistered, event("ada", "never"));
    throw new Error("rolled back");
  });
  await expect(rolledBack).rejects.toThrow("rolled back");
  await publish(producer, "ada", "20");
  await expect.poll(() => handled, WAIT).toEqual(Array.from({ length: 21 }, (_, n) => String(n)));
  expect(await rows()).toEqual(handled);
});

test("a transaction that commits late is not skipped", async () => {
  const producer = openRegistrations(producerUrl);
  const handled: string[] = [];
  start(producer, { publishes: true });
  start(openRegistrations(consumerUrl), { handler: keep(handled) });
  let commit: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    commit = resolve;
  });
  const late = producer.transaction(async (tx) => {
    await tx.publish(userRegistered, event("late", "late"));
    await held;
  });
  await publish(producer, "early", "early");
  await expect.poll(() => handled, WAIT).toEqual(["early"]);
  commit();
  await late;
  await expect.poll(() => handled, WAIT).toEqual(["early", "late"]);
});

test("the same event twice, even at once, has one effect", async () => {
  const handled: string[] = [];
  const events = start(openRegistrations(consumerUrl), { handler: keep(handled) });
  await Promise.all(
    Array.from({ length: 10 }, () => events.deliver(userRegistered, event("twice", "x"), `${group}-1`)),
  );
  await events.deliver(userRegistered, event("twice", "x"), `${group}-1`);
  await events.deliver(userRegistered, event("twice", "y"), `${group}-2`);
  expect(await rows()).toEqual(["x", "y"]);
});

test("a failing event holds up its key, and no other; then all go on in their order", async () => {
  const handled: string[] = [];
  let isWell = false;
  const seen: number[] = [];
  const policy = { retry: { maxAttempts: 1000, initialBackoffMs: 20, maxBackoffMs: 20, backoffMultiplier: 1 } };
  const handler = keep(handled, ({ event: { userId }, attempt }) => {
    if (!userId.endsWith("/sick") || isWell) return;
    seen.push(attempt);
    throw new Error("not yet");
  });
  const events = start(openRegistrations(consumerUrl), { handler, policy });
  for (let n = 0; n < 5; n++) {
    await events.deliver(userRegistered, event("sick", `sick ${n}`), `${group}-sick-${n}`);
    await events.deliver(userRegistered, event("well", `well ${n}`), `${group}-well-${n}`);
  }
  expect(handled).toEqual(Array.from({ length: 5 }, (_, n) => `well ${n}`));
  await expect.poll(() => seen.length, WAIT).toBeGreaterThan(3);
  // Only the first of them is tried.
  expect(seen).toEqual(seen.map((_, n) => n + 1));
  isWell = true;
  await expect.poll(() => handled.length, WAIT).toBe(10);
  expect(handled.slice(5)).toEqual(Array.from({ length: 5 }, (_, n) => `sick ${n}`));
  await expect.poll(waiting, WAIT).toBe(0);
  expect(await deadLetters()).toEqual([]);
});

test("after its last try an event is a dead letter, with its reason, and its key goes on", async () => {
  const handled: string[] = [];
  const handler = keep(handled, ({ event: { email } }) => {
    if (email === "bad") throw new Error("no such street");
  });
  const events = start(openRegistrations(consumerUrl), { handler });
  await events.deliver(userRegistered, event("a", "bad"), `${group}-1`);
  await events.deliver(userRegistered, event("a", "good"), `${group}-2`);
  await expect.poll(() => handled, WAIT).toEqual(["good"]);
  expect(await deadLetters()).toEqual([
    { key: `${group}/a`, reason: "Error: no such street", attempts: 3, parked: false },
  ]);
  // It has been taken over: the broker may bring it again.
  await events.deliver(userRegistered, event("a", "bad"), `${group}-1`);
  expect(await deadLetters()).toHaveLength(1);
});

test("a key that parks waits behind its dead letter", async () => {
  const handled: string[] = [];
  const handler = keep(handled, ({ event: { email } }) => {
    if (email === "bad") throw new Unprocessable("of no use");
  });
  const events = start(openRegistrations(consumerUrl), { handler, policy: { deadLetter: "park" } });
  await events.deliver(userRegistered, event("a", "bad"), `${group}-1`);
  await events.deliver(userRegistered, event("a", "good"), `${group}-2`);
  await events.deliver(userRegistered, event("b", "good"), `${group}-3`);
  expect(handled).toEqual(["good"]);
  expect(await deadLetters()).toEqual([
    { key: `${group}/a`, reason: "Unprocessable: of no use", attempts: 1, parked: true },
  ]);
  expect(await waiting()).toBe(2);
});

test("a try that takes long holds up the tries of no other key", async () => {
  const handled: string[] = [];
  let isHeld = false;
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const handler = keep(handled, async ({ event: { email }, attempt }) => {
    if (attempt === 1) throw new Error("not yet");
    if (email !== "slow") return;
    isHeld = true;
    await released;
  });
  const events = start(openRegistrations(consumerUrl), { handler, policy: { timeoutMs: 60_000 } });
  await events.deliver(userRegistered, event("a", "slow"), `${group}-1`);
  await expect.poll(() => isHeld, WAIT).toBe(true);
  await events.deliver(userRegistered, event("b", "fast"), `${group}-2`);
  await expect.poll(() => handled, WAIT).toEqual(["fast"]);
  release();
  await expect.poll(() => handled, WAIT).toEqual(["fast", "slow"]);
});

test("a handler that never returns is cut off, and gets no word into what comes after", async () => {
  let afterwards: Promise<unknown> | undefined;
  const handler: Handler = (_delivery, { tx, signal }) =>
    new Promise((_resolve) => {
      signal.addEventListener("abort", () => {
        afterwards = new Promise((resolve) => setTimeout(resolve, 50)).then(() =>
          tx.db.execute(sql`CREATE TABLE "leftover" ("id" integer)`),
        );
        afterwards.catch(() => undefined);
      });
    });
  const policy = {
    timeoutMs: 50,
    retry: { maxAttempts: 1, initialBackoffMs: 1, maxBackoffMs: 1, backoffMultiplier: 1 },
  };
  const events = start(openRegistrations(consumerUrl), { handler, policy });
  await events.deliver(userRegistered, event("a"), `${group}-1`);
  expect(await deadLetters()).toMatchObject([{ reason: "Error: the handler took more than 50 ms" }]);
  await expect(afterwards).rejects.toThrow();
  expect((await execute(consumerUrl, `SELECT to_regclass('leftover') AS "table"`)).rows[0].table).toBeNull();
});

test("what nobody can read is a dead letter at once", async () => {
  const from = broker();
  running.push(from);
  await from.declare([{ name: userRegistered.topic, partitions: 8, retentionMs: 1, groups: [] }]);
  const of = (id: string, type: string, payload: Uint8Array, more = {}) => ({
    topic: userRegistered.topic,
    key: `${group}/x`,
    attributes: { id: `${group}-${id}`, source: "elsewhere", type, ...more },
    payload,
  });
  const handled: string[] = [];
  start(openRegistrations(consumerUrl), { handler: keep(handled) });
  const { typeName } = userRegistered.schema;
  await from.publish([
    of("bytes", typeName, Uint8Array.of(255, 255, 255)),
    of("type", "shop.v9.Unknown", new Uint8Array()),
    of("version", typeName, new Uint8Array(), { dataschema: `proto:${typeName}/2.0` }),
    of(
      "newer",
      typeName,
      Uint8Array.of(...userRegistered.codec.toBytes(event("x", "newer") as MessageShape<Registered>), 0xfa, 0x3f, 1, 7),
      { dataschema: `proto:${typeName}/1.9` },
    ),
  ]);
  // A field of a newer contract is no mistake.
  await expect.poll(() => handled, WAIT).toEqual(["newer"]);
  const reasons = (await deadLetters()).map(({ reason }) => reason as string);
  expect(reasons).toEqual([
    expect.stringMatching(/^Unprocessable: its bytes are no shop\.users\.v1\.UserRegistered: /),
    "Unprocessable: its type is shop.v9.Unknown, and shop.users.v1.UserRegistered was expected",
    "Unprocessable: it is version 2.0 of shop.users.v1.UserRegistered, and 1.0 is known here: redrive it once this service is up to date",
  ]);
});

test("what a handler publishes is published once, by the try that succeeds, with the trace of what it handled", async () => {
  const producer = openRegistrations(producerUrl);
  const handled: string[] = [];
  start(producer, { publishes: true });
  const onward: Handler = async ({ attempt }, { tx }) => {
    await tx.publish(userRegistered, event("onward"));
    if (attempt === 1) throw new Error("not yet");
  };
  start(openRegistrations(consumerUrl), { handler: keep(handled, onward) });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const trace = () => ({ traceparent });
  await producer.transaction((tx) => tx.publish(userRegistered, event("a", "0")), { trace });
  await expect.poll(() => handled, WAIT).toEqual(["0"]);
  const text = `SELECT "attributes"->>'traceparent' AS "traceparent" FROM "scaffold_outbox" WHERE "key" = '${group}/onward'`;
  // It is there with the commit, which comes after the handler.
  await expect.poll(async () => (await execute(consumerUrl, text)).rows, WAIT).toEqual([{ traceparent }]);
});

test("an event that no broker would take is refused where it is published", async () => {
  const producer = openRegistrations(producerUrl);
  running.push(producer);
  await expect(publish(producer, "large", "x".repeat(1_000_000))).rejects.toMatchObject({
    code: Code.ResourceExhausted,
    rawMessage: expect.stringContaining("shop.users.v1.UserRegistered has 10000"),
  });
});

test("of two instances one passes events on, and the other takes over", async () => {
  const [first, second] = [openRegistrations(producerUrl), openRegistrations(producerUrl)];
  const handled: string[] = [];
  const leader = start(first, { publishes: true });
  await publish(first, "a", "0");
  start(second, { publishes: true });
  start(openRegistrations(consumerUrl), { handler: keep(handled) });
  await publish(second, "a", "1");
  await expect.poll(() => handled, WAIT).toEqual(["0", "1"]);
  await leader.close();
  await publish(second, "a", "2");
  await publish(first, "a", "3");
  await expect.poll(() => handled, WAIT).toEqual(["0", "1", "2", "3"]);
});

test("a relay whose connection is cut off begins again where it was", async () => {
  const producer = openRegistrations(producerUrl);
  const handled: string[] = [];
  start(producer, { publishes: true });
  start(openRegistrations(consumerUrl), { handler: keep(handled) });
  for (let n = 0; n < 30; n++) {
    await publish(producer, "a", String(n));
    if (n % 10 === 5) {
      await execute(
        producerUrl,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '${group} (relay)'`,
      );
    }
  }
  await expect.poll(() => handled, WAIT).toEqual(Array.from({ length: 30 }, (_, n) => String(n)));
});

test("a replay goes to its group alone, and is handled once more", async () => {
  const producer = openRegistrations(producerUrl);
  const [handled, others]: [string[], string[]] = [[], []];
  start(producer, { publishes: true });
  start(openRegistrations(consumerUrl), {
    handler: keep(handled, ({ replay, event: { email } }) => void (replay && handled.push(`again ${email}`))),
  });
  const mine = group;
  for (let n = 0; n < 3; n++) await publish(producer, "a", String(n));
  await expect.poll(() => handled, WAIT).toEqual(["0", "1", "2"]);
  const { rows: found } = await execute(
    producerUrl,
    `SELECT min("position") - 1 AS "after", max("position") AS "until" FROM "scaffold_outbox" WHERE "key" LIKE '${mine}/%'`,
  );
  group = `group-${++names}`;
  start(openRegistrations(consumerUrl), {
    handler: (delivery) => {
      if (delivery.event.userId.startsWith(`${mine}/`)) others.push(delivery.event.email);
    },
  });
  await expect.poll(() => others, WAIT).toEqual(["0", "1", "2"]);
  group = mine;
  await execute(
    producerUrl,
    `INSERT INTO "scaffold_replays" ("topic", "group", "after", "until") VALUES ('${userRegistered.topic}', '${mine}', ${found[0].after}, ${found[0].until})`,
  );
  await expect.poll(() => handled.slice(3), WAIT).toEqual(["again 0", "0", "again 1", "1", "again 2", "2"]);
  await publish(producer, "a", "3");
  await expect.poll(() => others, WAIT).toEqual(["0", "1", "2", "3"]);
});

test("the database of a consumer that is gone for a while costs delay", async () => {
  const producer = openRegistrations(producerUrl);
  const handled: string[] = [];
  start(producer, { publishes: true });
  let cuts = 3;
  const handler = keep(handled, async () => {
    if (cuts-- <= 0) return;
    await execute(
      consumerUrl,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'test'`,
    );
  });
  start(openRegistrations(consumerUrl), { handler });
  for (let n = 0; n < 5; n++) await publish(producer, "a", String(n));
  await expect.poll(rows, WAIT).toEqual(["0", "1", "2", "3", "4"]);
  expect(await deadLetters()).toEqual([]);
});
