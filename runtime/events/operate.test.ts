import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { testDatabase } from "../../generator/testing/database.js";
import { execute } from "../../generator/testing/tables.js";
import type { SubscriptionSpec } from "../spec/event.js";
import type { Broker } from "./broker.js";
import { Unprocessable } from "./delivery.js";
import {
  discardDeadLetters,
  listDeadLetters,
  measureSpan,
  openOutbox,
  outboxDepth,
  readBacklog,
  redriveDeadLetters,
  replayProgress,
  requestReplay,
} from "./operate.js";
import { openPostgres } from "./postgres.js";
import type { Events } from "./start.js";
import {
  type RegistrationHandler as Handler,
  openRegistrations,
  type RegistrationData,
  registrationDatabase,
  startRegistrations,
} from "./testing/registrations.js";

const WAIT = { timeout: 30_000, interval: 20 };
const { topic } = userRegistered;

/** Of the group, and in its first test also of the publisher. */
let url: string;
const running: { close(): Promise<void> }[] = [];
let names = 0;
let group: string;
/** What the handler is to fail with, by e-mail. */
let faults: Map<string, Error>;
/** What was handled, in the order of the commits. */
const handled = async () =>
  (
    await execute(url, `SELECT "tags"->>0 AS "tag" FROM "products" WHERE "name" LIKE '${group}/%' ORDER BY "id"`)
  ).rows.map(({ tag }) => tag as string);

beforeAll(async () => {
  url = await registrationDatabase();
});
beforeEach(() => {
  group = `group-${++names}`;
  faults = new Map();
});
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
});

function open(): RegistrationData {
  const data = openRegistrations(url);
  running.push(data);
  return data;
}

/** Runs a group that notes what it handles, and fails as `faults` says; publishes as well, if there is a broker. */
function start(
  data: RegistrationData,
  { policy, broker, before }: { policy?: Partial<SubscriptionSpec>; broker?: Broker; before?: Handler } = {},
) {
  const retry = { maxAttempts: 1, initialBackoffMs: 20, maxBackoffMs: 20, backoffMultiplier: 1 };
  const events = startRegistrations(data, {
    name: group,
    broker,
    ...(broker && { publishes: [userRegistered] }),
    policy: { retry, ...policy },
    async handler(delivery, context) {
      await before?.(delivery, context);
      const { userId, email } = delivery.event;
      const fault = faults.get(email);
      if (fault !== undefined) throw fault;
      await context.tx.products.create({ name: userId, tags: [email] });
    },
  });
  running.push(events);
  return events;
}

let ids = 0;
const deliver = (events: Events, key: string, email: string) =>
  events.deliver(userRegistered, { userId: `${group}/${key}`, email }, `event-${++ids}`);
const letters = async () => (await listDeadLetters(url, { group }, 100)).letters;
const seqs = async () => (await letters()).map(({ seq }) => seq);
const waiting = async () =>
  (
    await execute(
      url,
      `SELECT "seq", "due", "attempts" FROM "scaffold_waiting" WHERE "group" = '${group}' ORDER BY "seq"`,
    )
  ).rows;

const bad = () => new Unprocessable("of no use");

test("dead letters are listed by what is asked for", async () => {
  const events = start(open());
  faults.set("bad", bad());
  const early = new Date();
  for (const key of ["a", "b", "c"]) await deliver(events, key, "bad");
  const { letters, total } = await listDeadLetters(url, { group }, 2);
  expect(total).toBe(3);
  expect(letters).toMatchObject([
    { group, topic, key: `${group}/a`, attempts: 1, reason: "Unprocessable: of no use", parked: false },
    { key: `${group}/b`, attributes: { type: "shop.users.v1.UserRegistered" } },
  ]);
  const count = async (choice: object) => (await listDeadLetters(url, { group, ...choice }, 100)).total;
  expect(await count({ topic: "another" })).toBe(0);
  expect(await count({ from: early })).toBe(3);
  expect(await count({ to: early })).toBe(0);
  expect(await count({ seqs: [letters[1]!.seq] })).toBe(1);
  expect((await listDeadLetters(url, { group: "another" }, 100)).total).toBe(0);
});

test("a skipped one goes before those of its key that still wait, and what waits goes on after it", async () => {
  const events = start(open(), {
    policy: { retry: { maxAttempts: 1000, initialBackoffMs: 20, maxBackoffMs: 20, backoffMultiplier: 1 } },
  });
  faults.set("1", bad());
  await deliver(events, "a", "1");
  // From now on it is the later ones that fail for the time being.
  faults.set("2", new Error("not yet"));
  for (const email of ["2", "3"]) await deliver(events, "a", email);
  await deliver(events, "b", "other");
  faults.set("1", new Error("not yet either"));
  expect(await redriveDeadLetters(url, { group })).toEqual([(await waiting())[0].seq]);
  expect(await letters()).toEqual([]);
  const [first, second, third] = await waiting();
  expect([first.seq, second.seq, third.seq].map(Number)).toEqual(
    [first.seq, second.seq, third.seq].map(Number).sort((a, b) => a - b),
  );
  // Of the line, only the first is ever due.
  expect([second.due, third.due]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  // What comes now gets behind all of them.
  await deliver(events, "a", "4");
  faults.clear();
  await expect.poll(handled, WAIT).toEqual(["other", "1", "2", "3", "4"]);
  await expect.poll(waiting, WAIT).toEqual([]);
});

test("redriven ones of a key go in the order in which they came, one after the other", async () => {
  const events = start(open());
  for (const email of ["1", "2", "3"]) {
    faults.set(email, bad());
    await deliver(events, "a", email);
  }
  const [one, two, three] = await seqs();
  faults.clear();
  expect(await redriveDeadLetters(url, { group, seqs: [three!, one!, two!, "999999"] })).toEqual([one, two, three]);
  await expect.poll(handled, WAIT).toEqual(["1", "2", "3"]);
  // Nobody finds them a second time.
  expect(await redriveDeadLetters(url, { group, seqs: [one!] })).toEqual([]);
});

test("one that fails again is dead again, under its name", async () => {
  const events = start(open());
  faults.set("1", bad());
  await deliver(events, "a", "1");
  const before = await seqs();
  faults.set("1", new Error("worse"));
  await redriveDeadLetters(url, { group });
  await expect
    .poll(async () => (await letters()).map(({ seq, reason }) => [seq, reason]), WAIT)
    .toEqual([[before[0], "Error: worse"]]);
});

test("a parked one is tried again in its place, from its first try on", async () => {
  const events = start(open(), {
    policy: {
      deadLetter: "park",
      retry: { maxAttempts: 2, initialBackoffMs: 10, maxBackoffMs: 10, backoffMultiplier: 1 },
    },
  });
  faults.set("1", new Error("not well"));
  for (const email of ["1", "2"]) await deliver(events, "a", email);
  await expect.poll(letters, WAIT).toMatchObject([{ parked: true, attempts: 2 }]);
  expect(await waiting()).toHaveLength(2);
  // It has all its tries once more.
  await redriveDeadLetters(url, { group });
  await expect.poll(letters, WAIT).toMatchObject([{ parked: true, attempts: 2 }]);
  faults.clear();
  await redriveDeadLetters(url, { group });
  await expect.poll(handled, WAIT).toEqual(["1", "2"]);
  await expect.poll(waiting, WAIT).toEqual([]);
});

test("one that is put back before a parked one does not wake that", async () => {
  const data = open();
  const skipping = start(data);
  faults.set("1", bad());
  await deliver(skipping, "a", "1");
  await skipping.stopConsuming();
  const parking = start(data, { policy: { deadLetter: "park" } });
  faults.set("2", bad());
  await deliver(parking, "a", "2");
  await deliver(parking, "a", "3");
  const [skipped, parked] = await seqs();
  faults.clear();
  await redriveDeadLetters(url, { group, seqs: [skipped!] });
  await expect.poll(handled, WAIT).toEqual(["1"]);
  expect(await letters()).toMatchObject([{ seq: parked, parked: true }]);
  expect((await waiting()).map(({ due }) => due)).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  await redriveDeadLetters(url, { group, seqs: [parked!] });
  await expect.poll(handled, WAIT).toEqual(["1", "2", "3"]);
});

test("a discarded one is gone, and what waited for it goes on", async () => {
  const events = start(open(), { policy: { deadLetter: "park" } });
  faults.set("1", bad());
  for (const email of ["1", "2", "3"]) await deliver(events, "a", email);
  const before = await seqs();
  expect(await discardDeadLetters(url, { group })).toEqual(before);
  await expect.poll(handled, WAIT).toEqual(["2", "3"]);
  expect(await letters()).toEqual([]);
  expect(await discardDeadLetters(url, { group })).toEqual([]);
});

test("a try that is under way when an earlier one comes back has no effect, and is made again after it", async () => {
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let tries = 0;
  const policy = {
    timeoutMs: 60_000,
    retry: { maxAttempts: 1000, initialBackoffMs: 10, maxBackoffMs: 10, backoffMultiplier: 1 },
  };
  const before: Handler = async ({ event: { email }, attempt }) => {
    if (email === "2" && attempt === 2 && ++tries === 1) await held;
  };
  const data = open();
  const instances = [start(data, { policy, before }), start(data, { policy, before })] as const;
  faults.set("1", bad());
  await deliver(instances[0], "a", "1");
  faults.set("2", new Error("once"));
  await deliver(instances[0], "a", "2");
  faults.clear();
  await expect.poll(() => tries, WAIT).toBe(1);
  await redriveDeadLetters(url, { group });
  // The instance that is not held up does both.
  await expect.poll(handled, WAIT).toEqual(["1", "2"]);
  letGo();
  const repeated = async () => (await Promise.all(instances.map(({ metrics }) => metrics.text()))).join("");
  await expect.poll(repeated, WAIT).toContain(`scaffold_events_repeated_total{topic="${topic}"`);
  expect(await handled()).toEqual(["1", "2"]);
  expect(await waiting()).toEqual([]);
});

test("redrives while consumers are at work lose nothing, and do nothing twice", async () => {
  const data = open();
  const policy = { deadLetter: "skip" as const };
  const [first, second] = [start(data, { policy }), start(data, { policy })];
  const keys = ["a", "b", "c", "d"];
  const each = Array.from({ length: 15 }, (_, n) => String(n).padStart(2, "0"));
  // Each fails for as long as it is ill, and all of them are at first.
  for (const email of each) faults.set(email, bad());
  await Promise.all(
    keys.map(async (key) => {
      for (const [n, email] of each.entries()) await deliver(n % 2 ? first : second, key, email);
    }),
  );
  expect(await letters()).toHaveLength(60);
  let isOver = false;
  const redriving = [0, 1].map(async () => {
    for (let n = 0; !isOver; n++) {
      const found = await seqs();
      await redriveDeadLetters(url, { group, seqs: found.filter((_, index) => index % 3 === n % 3) });
    }
  });
  const recovering = (async () => {
    for (const email of each) {
      faults.delete(email);
      await redriveDeadLetters(url, { group });
    }
  })();
  await recovering;
  await expect.poll(async () => (await handled()).length, WAIT).toBe(60);
  isOver = true;
  await Promise.all(redriving);
  expect(await letters()).toEqual([]);
  await expect.poll(waiting, WAIT).toEqual([]);
  const { rows } = await execute(
    url,
    `SELECT "name", count(DISTINCT "tags"->>0)::integer AS "n" FROM "products" WHERE "name" LIKE '${group}/%' GROUP BY "name"`,
  );
  expect(rows.map(({ n }) => n)).toEqual([15, 15, 15, 15]);
});

test("of what is put back at once, and what comes meanwhile, each key keeps its order", async () => {
  const events = start(open());
  const keys = ["a", "b", "c", "d"];
  const old = Array.from({ length: 8 }, (_, n) => `old ${n}`);
  const fresh = Array.from({ length: 8 }, (_, n) => `new ${n}`);
  for (const email of old) faults.set(email, bad());
  await Promise.all(
    keys.map(async (key) => {
      for (const email of old) await deliver(events, key, email);
    }),
  );
  faults.clear();
  const coming = keys.map(async (key) => {
    for (const email of fresh) await deliver(events, key, email);
  });
  await redriveDeadLetters(url, { group });
  await Promise.all(coming);
  await expect.poll(async () => (await handled()).length, WAIT).toBe(64);
  for (const key of keys) {
    const { rows } = await execute(
      url,
      `SELECT "tags"->>0 AS "tag" FROM "products" WHERE "name" = '${group}/${key}' ORDER BY "id"`,
    );
    const tags = rows.map(({ tag }) => tag as string);
    expect(tags.filter((tag) => tag.startsWith("old"))).toEqual(old);
    expect(tags.filter((tag) => tag.startsWith("new"))).toEqual(fresh);
  }
});

test("one that a replay or a time names is measured, sent to its group again, and followed to its end", async () => {
  const data = open();
  const brokerUrl = await testDatabase();
  const events = start(data, { broker: openPostgres(brokerUrl, { service: "test" }) });
  for (const email of ["1", "2", "3"]) {
    await data.transaction((tx) => tx.publish(userRegistered, { userId: `${group}/a`, email }));
  }
  await expect.poll(handled, WAIT).toEqual(["1", "2", "3"]);
  const all = (await measureSpan(url, { topic }))!;
  expect(all).toMatchObject({ topic, first: "1", last: "3", events: 3 });
  expect(all.from.getTime()).toBeLessThanOrEqual(all.to.getTime());
  expect(await measureSpan(url, { topic, from: { position: "2" } })).toMatchObject({
    first: "2",
    last: "3",
    events: 2,
  });
  expect(await measureSpan(url, { topic, to: { position: "2" } })).toMatchObject({ first: "1", last: "2", events: 2 });
  expect(await measureSpan(url, { topic, to: { time: all.from } })).toBeUndefined();
  expect(await measureSpan(url, { topic, from: { time: new Date(0) } })).toMatchObject({ events: 3 });
  expect(await measureSpan(url, { topic, from: { position: "4" } })).toBeUndefined();
  expect(await measureSpan(url, { topic: "another" })).toBeUndefined();

  const id = await requestReplay(url, group, (await measureSpan(url, { topic, from: { position: "2" } }))!);
  await expect.poll(() => replayProgress(url, id), WAIT).toEqual({ isOver: true, left: 0, isRelayed: true });
  await expect.poll(handled, WAIT).toEqual(["1", "2", "3", "2", "3"]);

  const reader = openOutbox(url);
  running.push(reader);
  expect(await reader.before()).toBe("3");
  expect(await reader.before({ position: "2" })).toBe("1");
  expect(await reader.before({ time: new Date(0) })).toBe("0");
  expect(await reader.before({ time: new Date(Date.now() + 60_000) })).toBe("3");
  expect(await reader.read("0", [topic], 2)).toMatchObject({ at: "2", events: [{ position: "1" }, { position: "2" }] });
  expect(await reader.read("2", [topic], 2)).toMatchObject({ at: "3", events: [{ position: "3", key: `${group}/a` }] });
  expect(await reader.read("0", ["another"], 2)).toEqual({ at: "3", events: [] });

  await events.close();
  const unheard = await requestReplay(url, group, all);
  expect(await replayProgress(url, unheard)).toEqual({ isOver: false, left: 3, isRelayed: false });
  expect(await replayProgress(url, "999999")).toBeUndefined();
  await data.transaction((tx) => tx.publish(userRegistered, { userId: `${group}/a`, email: "4" }));
  expect(await outboxDepth(url)).toEqual({ depth: 1, oldest: expect.any(Date) });
});

test("what a group has not handled is counted by topic", async () => {
  const events = start(open(), { policy: { deadLetter: "park" } });
  expect(await readBacklog(url, group)).toEqual(new Map());
  faults.set("1", bad());
  for (const email of ["1", "2", "3"]) await deliver(events, "a", email);
  expect(await readBacklog(url, group)).toEqual(
    new Map([[topic, { waiting: 3, deadLetters: 1, missing: 0, oldest: expect.any(Date) }]]),
  );
});

test("a database that does not answer, or has no events, is named", async () => {
  await expect(readBacklog("postgres://127.0.0.1:1/x", group)).rejects.toThrow("no database answers at 127.0.0.1:1");
  await expect(openOutbox("postgres://127.0.0.1:1/x").before()).rejects.toThrow("no database answers at 127.0.0.1:1");
  await expect(readBacklog(await testDatabase(), group)).rejects.toThrow("a table is missing");
});
