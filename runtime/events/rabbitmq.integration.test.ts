import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { maxMessageSize, type RabbitmqEngine, rabbitmqEngine } from "../../scripts/testing/rabbitmq-engine.js";
import type { Broker, BrokerSubscription, Topic } from "./broker.js";
import { loadLibrary } from "./rabbitmq/connection.js";
import { openRabbitmq } from "./rabbitmq.js";
import type { EventRecord, ReceivedRecord } from "./record.js";
import { describeBroker } from "./testing/broker-suite.js";
import { testLosses } from "./testing/loss-suite.js";

describeBroker("RabbitMQ", async () => {
  const engine = await rabbitmqEngine();
  return {
    open: () => openRabbitmq(engine.url, { service: "test" }),
    kill: engine.kill,
    restart: engine.start,
    close: engine.remove,
  };
});

describe("RabbitMQ, beyond what every broker does:", () => {
  const WAIT = { timeout: 60_000, interval: 20 };
  const keys = ["a", "b", "c", "d", "e"];
  let engine: RabbitmqEngine;
  const open: Broker[] = [];
  const subscriptions: BrokerSubscription[] = [];

  beforeAll(async () => {
    engine = await rabbitmqEngine();
  });
  afterAll(() => engine?.remove());
  afterEach(async () => {
    await Promise.all(subscriptions.splice(0).map((subscription) => subscription.close()));
    await Promise.all(open.splice(0).map((broker) => broker.close()));
  });

  async function broker(query = ""): Promise<Broker> {
    const opened = await openRabbitmq(`${engine.url}${query}`, { service: "test" });
    open.push(opened);
    return opened;
  }

  testLosses(broker);

  const topic = (over: Partial<Topic> = {}): Topic => {
    return { name: `test.${randomUUID()}`, partitions: 4, retentionMs: 3_600_000, groups: ["g"], ...over };
  };
  const record = (name: string, key: string, n: number, size = 8): EventRecord => ({
    topic: name,
    key,
    attributes: {
      specversion: "1.0",
      id: `${key}-${n}`,
      source: "test",
      type: "t",
      datacontenttype: "application/protobuf",
    },
    payload: new Uint8Array(size),
  });
  function collect(from: Broker, one: Topic): { ids: string[]; subscription: BrokerSubscription } {
    const ids: string[] = [];
    const handle = async (records: readonly ReceivedRecord[]) => {
      ids.push(...records.map(({ attributes }) => attributes.id as string));
    };
    const subscription = from.subscribe({ group: "g", topics: [one], batch: 10, handle });
    subscriptions.push(subscription);
    return { ids, subscription };
  }
  const ofKey = (ids: readonly string[], key: string) => [...new Set(ids.filter((id) => id.startsWith(`${key}-`)))];
  const numbered = (key: string, count: number) => Array.from({ length: count }, (_, n) => `${key}-${n}`);

  test.each(["topic", "direct", "fanout", "headers"])("a company's %s exchange for all topics is met", async (type) => {
    const library = await loadLibrary();
    const client = new library.Connection(engine.url);
    const exchange = `company.${type}`;
    await client.exchangeDeclare({ exchange, type, durable: true });
    await client.close();
    const from = await broker(`?exchange=${type}&exchange_name=${exchange}`);
    const [one, other] = [topic(), topic()];
    await from.declare([one, other]);
    for (const { name } of [one, other]) {
      await from.publish(numbered("x", 20).flatMap((_, n) => keys.map((key) => record(name, key, n))));
    }
    // Each of them once: no partition has another's events, and no topic another's.
    const lags = await from.lag("g", [one.name, other.name]);
    const sums = [...lags].map(([name, lag]) => [name, lag.reduce((sum, each) => sum + each)]);
    expect(sums).toEqual([one, other].map(({ name }) => [name, 100]));
    const { ids } = collect(await broker(`?exchange=${type}&exchange_name=${exchange}`), one);
    await expect.poll(() => ids.length, WAIT).toBe(100);
    for (const key of keys) expect(ids.filter((id) => id.startsWith(`${key}-`))).toEqual(numbered(key, 20));
  });

  test("an exchange of another type than the URL says is refused, by name", async () => {
    const one = topic();
    await (await broker("?exchange=fanout")).declare([one]);
    await expect((await broker()).declare([one])).rejects.toThrow(`the exchange ${one.name} is there already`);
    await expect(openRabbitmq("amqp://localhost?exchange=bus", { service: "test" })).rejects.toThrow("exchange is");
  });

  test("two members share partitions, and either takes over what the other leaves", async () => {
    const one = topic();
    const from = await broker();
    await from.declare([one]);
    const [first, second] = [collect(await broker(), one), collect(await broker(), one)];
    await Promise.all([first, second].map(({ subscription }) => subscription.ready()));
    const seen = () => [...first.ids, ...second.ids];
    let n = 0;
    const publish = () => from.publish(keys.map((key) => record(one.name, key, n))).then(() => n++);
    await expect
      .poll(() => publish().then(() => Math.min(first.ids.length, second.ids.length)), WAIT)
      .toBeGreaterThan(0);
    subscriptions.splice(subscriptions.indexOf(first.subscription), 1);
    const leaving = first.subscription.close();
    for (let more = 0; more < 20; more++) await publish();
    await leaving;
    for (const key of keys) await expect.poll(() => ofKey(seen(), key).length, WAIT).toBe(n);
    // A key changes hands no more often than members come and go, and each had it in order.
    for (const { ids } of [first, second]) {
      for (const key of keys) {
        const numbers = ofKey(ids, key).map((id) => Number(id.split("-")[1]));
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      }
    }
  });

  test("killed while it is published to and consumed, it loses nothing, and keeps the order of keys", async () => {
    const one = topic();
    const [from, to] = [await broker(), await broker()];
    await from.declare([one]);
    const { ids, subscription } = collect(to, one);
    await subscription.ready();
    const rounds = 60;
    const publishing = (async () => {
      for (let n = 0; n < rounds; ) {
        const sent = from.publish(keys.map((key) => record(one.name, key, n)));
        await sent.then(
          () => n++,
          () => undefined,
        );
      }
    })();
    await expect.poll(() => ids.length, WAIT).toBeGreaterThan(20);
    await engine.kill();
    await engine.start();
    await publishing;
    for (const key of keys) await expect.poll(() => ofKey(ids, key), WAIT).toEqual(numbered(key, rounds));
  });

  test("a queue that does not answer holds up nobody who leaves", async () => {
    const one = topic({ partitions: 1 });
    const from = await broker();
    await from.declare([one]);
    const queue = `whereis('%2F_${one.name}:g:0')`;
    await engine.ctl("eval", `sys:suspend(${queue}).`);
    const { subscription } = collect(from, one);
    const asked = () => engine.ctl("eval", `process_info(${queue}, messages).`);
    await expect.poll(asked, WAIT).toContain("checkout");
    // RabbitMQ itself gives up after a minute.
    await subscription.close();
    await engine.ctl("eval", `sys:resume(${queue}).`);
  }, 30_000);

  test("what a group did not take in time is in the queue of what was dropped", async () => {
    const one = topic({ retentionMs: 50, partitions: 1 });
    const from = await broker();
    await from.declare([one]);
    await from.publish([record(one.name, "a", 0)]);
    await expect
      .poll(async () => /:dropped\t1$/m.test(await engine.ctl("list_queues", "name", "messages")), WAIT)
      .toBe(true);
  });

  test("what is too large is refused, by its place, and the next is taken", async () => {
    const one = topic();
    const from = await broker();
    await from.declare([one]);
    const sent = [record(one.name, "a", 0), record(one.name, "a", 1, maxMessageSize + 1)];
    for (const _ of ["found out", "known"]) {
      await expect(from.publish(sent)).rejects.toMatchObject({ name: "RecordRefused", index: 1 });
    }
    const attributes = { ...record(one.name, "a", 2).attributes, note: "x".repeat(200_000) };
    const long = from.publish([{ ...record(one.name, "a", 2), attributes }]);
    await expect(long).rejects.toMatchObject({ name: "RecordRefused", index: 0 });
    await expect
      .poll(
        () =>
          from.publish([record(one.name, "a", 3)]).then(
            () => true,
            () => false,
          ),
        WAIT,
      )
      .toBe(true);
  });
});
