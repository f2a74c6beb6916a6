import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  type Acl,
  AclOperations,
  AclPermissionTypes,
  Consumer,
  compatibilityPartitioner,
  ResourcePatternTypes,
  ResourceTypes,
} from "@platformatic/kafka";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type KafkaEngine, kafkaEngine } from "../../scripts/testing/kafka-engine.js";
import { type Broker, type BrokerSubscription, RecordRefused, type SubscribeOptions, type Topic } from "./broker.js";
import { openKafka } from "./kafka.js";
import type { EventRecord, ReceivedRecord } from "./record.js";
import { describeBroker } from "./testing/broker-suite.js";
import { testLosses } from "./testing/loss-suite.js";

describeBroker("Apache Kafka", async () => {
  const engine = await kafkaEngine();
  return {
    open: async () => openKafka(engine.url, { service: "test" }),
    kill: engine.kill,
    restart: engine.start,
    close: engine.remove,
  };
});

const WAIT = { timeout: 60_000, interval: 20 };

describe("Apache Kafka", () => {
  let engine: KafkaEngine;
  const open: Broker[] = [];
  const subscriptions = new Set<BrokerSubscription>();

  beforeAll(async () => {
    engine = await kafkaEngine();
    // What the guide says that a service needs.
    const right = (resource: Pick<Acl, "resourceType" | "resourceName">, operation: Acl["operation"]): Acl => ({
      ...resource,
      resourcePatternType: ResourcePatternTypes.PREFIXED,
      principal: "User:shop",
      host: "*",
      operation,
      permissionType: AclPermissionTypes.ALLOW,
    });
    const topics = { resourceType: ResourceTypes.TOPIC, resourceName: "test." };
    const groups = { resourceType: ResourceTypes.GROUP, resourceName: "g" };
    await engine.admin.createAcls({
      creations: [
        right(topics, AclOperations.CREATE),
        right(topics, AclOperations.WRITE),
        right(topics, AclOperations.READ),
        right(groups, AclOperations.READ),
      ],
    });
  });
  afterEach(async () => {
    await Promise.all([...subscriptions].map(leave));
    await Promise.all(open.splice(0).map((broker) => broker.close()));
  });
  afterAll(() => engine?.remove());

  function broker(url = engine.url, service = "test"): Broker {
    const opened = openKafka(url, { service });
    open.push(opened);
    return opened;
  }

  testLosses(broker);

  async function declared(partitions = 4, from = broker()): Promise<Topic> {
    const topic = { name: `test.${randomUUID()}`, partitions, retentionMs: 3_600_000, groups: [] };
    await from.declare([topic]);
    return topic;
  }

  type Handle = SubscribeOptions["handle"];
  function join(topic: Topic, handle: Handle, from = broker(), batch = 100): BrokerSubscription {
    const subscription = from.subscribe({ group: "g", topics: [topic], batch, handle });
    subscriptions.add(subscription);
    return subscription;
  }

  async function leave(subscription: BrokerSubscription): Promise<void> {
    subscriptions.delete(subscription);
    await subscription.close();
  }

  const record = ({ name }: Topic, key: string, n: number, payload = Uint8Array.of(n & 255)): EventRecord => ({
    topic: name,
    key,
    attributes: { id: `${key}-${n}`, source: "test", type: "test.v1.Tested", datacontenttype: "application/protobuf" },
    payload,
  });
  const idOf = ({ attributes }: EventRecord) => attributes.id as string;
  const keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const numbered = (key: string, count: number) => Array.from({ length: count }, (_, n) => `${key}-${n}`);
  const ofKey = (ids: readonly string[], key: string) => ids.filter((id) => id.startsWith(`${key}-`));

  /** Publishes so many events of each key, a few at a time, each time until it succeeds, as the relay does. */
  async function publishAll(from: Broker, topic: Topic, count: number, before?: (n: number) => unknown): Promise<void> {
    for (let n = 0; n < count; n++) {
      await before?.(n);
      const records = keys.map((key) => record(topic, key, n));
      while (
        !(await from.publish(records).then(
          () => true,
          () => false,
        ))
      );
    }
  }

  test("killed in the middle of publishing and consuming, it loses nothing, and keeps the order of keys", async () => {
    const topic = await declared();
    const handled: string[] = [];
    join(topic, async (records) => void handled.push(...records.map(idOf)));
    let back: Promise<void> | undefined;
    await publishAll(broker(), topic, 300, (n) => {
      if (n !== 100) return;
      // Without waiting: what is on its way has no answer.
      back = engine.kill().then(() => engine.start());
    });
    await back;
    await expect.poll(() => new Set(handled).size, WAIT).toBe(300 * keys.length);
    for (const key of keys) expect([...new Set(ofKey(handled, key))]).toEqual(numbered(key, 300));
  });

  test("members that come and go while events flow hand partitions over in order, with nothing lost or repeated", async () => {
    const topic = await declared(8);
    const settled: string[] = [];
    const handle = (): Handle => async (records) => {
      for (const one of records) {
        await new Promise((resolve) => setImmediate(resolve));
        settled.push(idOf(one));
      }
    };
    const members = [join(topic, handle(), broker(), 5)];
    await members[0]?.ready();
    let joined: Promise<void> | undefined;
    let left: Promise<void> | undefined;
    await publishAll(broker(), topic, 400, async (n) => {
      if (n === 100) {
        members.push(join(topic, handle(), broker(), 5));
        joined = members[1]?.ready();
      }
      if (n === 200) await joined;
      if (n === 300) left = leave(members[0] as BrokerSubscription);
    });
    await left;
    await expect.poll(() => settled.length, WAIT).toBeGreaterThanOrEqual(400 * keys.length);
    for (const key of keys) expect(ofKey(settled, key)).toEqual(numbered(key, 400));
  });

  test("members of one group get the topics that they subscribe to, and no others", async () => {
    const from = broker();
    const [one, two] = [await declared(3, from), await declared(3, from)];
    const handled = { first: [] as ReceivedRecord[], second: [] as ReceivedRecord[], third: [] as ReceivedRecord[] };
    const members = [
      join(one, async (records) => void handled.first.push(...records)),
      join(two, async (records) => void handled.second.push(...records)),
      join(two, async (records) => void handled.third.push(...records)),
    ];
    await Promise.all(members.map((member) => member.ready()));
    await from.publish([one, two].flatMap((topic) => Array.from({ length: 30 }, (_, n) => record(topic, "", n))));
    await expect.poll(() => handled.first.length, WAIT).toBe(30);
    await expect.poll(() => handled.second.length + handled.third.length, WAIT).toBe(30);
    expect(new Set(handled.first.map(({ topic }) => topic))).toEqual(new Set([one.name]));
    expect(new Set([...handled.second, ...handled.third].map(({ topic }) => topic))).toEqual(new Set([two.name]));
  });

  test("whoever has a partition that is divided anew is told, and others go on with what was not settled", async () => {
    const topic = await declared(1);
    await broker().publish([record(topic, "a", 0), record(topic, "a", 1)]);
    const aborted: string[] = [];
    let isBusy = true;
    const handled: string[] = [];
    const handle: Handle = async (records, signal) => {
      if (!isBusy) return void handled.push(...records.map(idOf));
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      aborted.push(...records.map(idOf));
      isBusy = false;
      throw signal.reason;
    };
    const first = join(topic, handle);
    await first.ready();
    join(topic, handle);
    await expect.poll(() => handled, WAIT).toEqual(["a-0", "a-1"]);
    expect(aborted).toEqual(["a-0", "a-1"]);
  });

  test("whoever does not stop in time changes nothing for those who have the partition then", async () => {
    const topic = await declared(1);
    const from = broker();
    await from.publish(numbered("a", 3).map((_, n) => record(topic, "a", n)));
    let end: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      end = resolve;
    });
    const started: string[] = [];
    const handle: Handle = async (records) => {
      started.push(...records.map(idOf));
      await held;
    };
    const slow = join(topic, handle, broker(), 1);
    await expect.poll(() => started, WAIT).toEqual(["a-0"]);
    const handled: string[] = [];
    // Members are sorted by name.
    join(topic, async (records) => void handled.push(...records.map(idOf)), broker(engine.url, "another"));
    await expect.poll(() => handled, WAIT).toEqual(["a-0", "a-1", "a-2"]);
    await expect.poll(async () => (await from.lag("g", [topic.name])).get(topic.name), WAIT).toEqual([0]);
    end();
    await leave(slow);
    expect(started).toEqual(["a-0"]);
    expect((await from.lag("g", [topic.name])).get(topic.name)).toEqual([0]);
  });

  test("a slow partition holds up no other, and takes little memory", async () => {
    const topic = await declared(2);
    const from = broker();
    const partitionOf = (key: string) => compatibilityPartitioner(undefined as never, Buffer.from(key)) % 2;
    const slow = "a";
    const fast = keys.find((key) => partitionOf(key) !== partitionOf(slow)) as string;
    const bytes = 16 * 1024;
    await from.publish(Array.from({ length: 300 }, (_, n) => record(topic, slow, n, randomBytes(bytes))));
    let isReleased: (() => void) | undefined;
    const released = new Promise<void>((resolve) => {
      isReleased = resolve;
    });
    const handled: string[] = [];
    let slowPartition: string | undefined;
    const asked: { partition: number; fetchOffset: bigint }[][] = [];
    const note = (message: unknown) => {
      const { options } = message as { options: { topics: { partitions: (typeof asked)[number] }[] } };
      asked.push(options.topics.flatMap(({ partitions }) => partitions));
    };
    subscribe("tracing:plt:kafka:consumer:fetches:start", note);
    try {
      join(topic, async (records) => {
        if (records[0]?.key === slow) {
          slowPartition ??= records[0].position.split("/")[0];
          await released;
        }
        handled.push(...records.map(idOf));
      });
      const isSlow = ({ partition }: { partition: number }) => String(partition) === slowPartition;
      await expect.poll(() => asked.at(-1)?.some(isSlow), WAIT).toBe(false);
      await from.publish(Array.from({ length: 300 }, (_, n) => record(topic, fast, n, randomBytes(bytes))));
      await expect.poll(() => ofKey(handled, fast), WAIT).toEqual(numbered(fast, 300));
      // What it holds, and one answer more.
      const furthest = Math.max(
        ...asked
          .flat()
          .filter(isSlow)
          .map(({ fetchOffset }) => Number(fetchOffset)),
      );
      expect(furthest * bytes).toBeLessThan(1024 * 1024);
      expect(ofKey(handled, slow)).toEqual([]);
    } finally {
      unsubscribe("tracing:plt:kafka:consumer:fetches:start", note);
      isReleased?.();
    }
    await expect.poll(() => ofKey(handled, slow), WAIT).toEqual(numbered(slow, 300));
  });

  test("an event that is too large is named, and those before it are published", async () => {
    const topic = await declared(2);
    const from = broker();
    const large = record(topic, "a", 5, randomBytes(2_000_000));
    const records = [...[0, 1, 2, 3, 4].map((n) => record(topic, "a", n)), large, record(topic, "a", 6)];
    const refused = await from.publish(records).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RecordRefused);
    expect(refused).toMatchObject({ index: 5 });
    await from.publish([record(topic, "a", 7)]);
    const handled: string[] = [];
    join(topic, async (records) => void handled.push(...records.map(idOf)));
    await expect.poll(() => [...new Set(handled)], WAIT).toEqual(["a-0", "a-1", "a-2", "a-3", "a-4", "a-7"]);
  });

  test("what it says stands in Kafka as CloudEvents in binary mode", async () => {
    const topic = await declared(3);
    await broker().publish([record(topic, "a", 0), record(topic, "", 1)]);
    const reader = new Consumer({ clientId: "reader", groupId: "reader", bootstrapBrokers: [engine.url.slice(8)] });
    const stream = await reader.consume({ topics: [topic.name], mode: "earliest" });
    try {
      const messages = [];
      for await (const { key, value, headers } of stream) {
        const text = Object.fromEntries([...headers].map(([name, value]) => [name.toString(), value.toString()]));
        messages.push({ key: key?.toString(), value: value.toString("hex"), headers: text });
        if (messages.length === 2) break;
      }
      const headers = { ce_specversion: "1.0", ce_source: "test", ce_type: "test.v1.Tested" };
      const rest = { "content-type": "application/protobuf" };
      expect(messages.toSorted((a, b) => (a.value < b.value ? -1 : 1))).toEqual([
        { key: "a", value: "00", headers: { ...headers, ce_id: "a-0", ...rest } },
        { key: undefined, value: "01", headers: { ...headers, ce_id: "-1", ...rest } },
      ]);
    } finally {
      await reader.close(true);
    }
  });

  test("topics keep what was declared first; more partitions are taken up by members that are there", async () => {
    const from = broker();
    const topic = await declared(2, from);
    await from.declare([{ ...topic, partitions: 5 }]);
    expect(
      (await engine.admin.metadata({ topics: [topic.name], forceUpdate: true })).topics.get(topic.name),
    ).toMatchObject({ partitionsCount: 2 });
    const handled: ReceivedRecord[] = [];
    const member = join(topic, async (records) => void handled.push(...records));
    await member.ready();
    await engine.admin.createPartitions({
      topics: [{ name: topic.name, count: 6, assignments: null }],
      validateOnly: false,
    });
    const records = Array.from({ length: 60 }, (_, n) => record(topic, "", n));
    await expect
      .poll(async () => {
        await from.publish(records);
        return new Set(handled.map(({ position }) => position.split("/")[0])).size;
      }, WAIT)
      .toBe(6);
  });

  test("a group goes on with the oldest that is there when what came next is gone", async () => {
    const topic = await declared(1);
    const from = broker();
    await from.publish(numbered("a", 10).map((_, n) => record(topic, "a", n)));
    const before: string[] = [];
    const first = join(topic, async (records) => void before.push(...records.map(idOf)), from, 3);
    await expect.poll(() => before.length, WAIT).toBe(10);
    await leave(first);
    await from.publish([10, 11, 12, 13].map((n) => record(topic, "a", n)));
    await engine.admin.deleteRecords({ topics: [{ name: topic.name, partitions: [{ partition: 0, offset: 12n }] }] });
    expect((await from.lag("g", [topic.name])).get(topic.name)).toEqual([2]);
    const handled: string[] = [];
    join(topic, async (records) => void handled.push(...records.map(idOf)));
    await expect.poll(() => handled, WAIT).toEqual(["a-12", "a-13"]);
  });

  test("with SASL, a service does all with the rights that the guide names, and nobody without them", async () => {
    const shop = broker(engine.saslUrl("shop"));
    const topic = await declared(2, shop);
    await shop.publish([record(topic, "a", 0)]);
    const handled: string[] = [];
    join(topic, async (records) => void handled.push(...records.map(idOf)), shop);
    await expect.poll(() => handled, WAIT).toEqual(["a-0"]);
    await expect.poll(async () => (await shop.lag("g", [topic.name])).get(topic.name), WAIT).toEqual([0, 0]);

    const stranger = broker(engine.saslUrl("stranger"));
    await expect(stranger.publish([record(topic, "a", 1)])).rejects.toThrow();
    const intruder = broker(engine.saslUrl("shop").replace("shop-secret", "wrong"));
    await expect(intruder.publish([record(topic, "a", 1)])).rejects.toThrow(/authenticat/i);
  });

  test("over TLS, with the certificate's authority in NODE_EXTRA_CA_CERTS", async () => {
    const topic = await declared(1);
    const publish = async (authority: Record<string, string>) => {
      const script = fileURLToPath(new URL("testing/kafka-publish.ts", import.meta.url));
      const env = { ...process.env, ...authority, BROKER_URL: engine.tlsUrl("shop") };
      const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script, topic.name], { env });
      return stdout.trim();
    };
    expect(await publish({ NODE_EXTRA_CA_CERTS: engine.certificate })).toBe("published");
    expect(await publish({})).toMatch(/self-signed certificate/);
  });

  test("frozen and thawed, it costs delay; a member takes itself for lost meanwhile", async () => {
    const topic = await declared();
    const from = broker();
    const handled: string[] = [];
    let isAborted: boolean | undefined;
    join(topic, async (records, signal) => {
      if (isAborted === undefined && records[0]?.key === "a") {
        isAborted = false;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        isAborted = true;
        throw signal.reason;
      }
      handled.push(...records.map(idOf));
    });
    await from.publish([record(topic, "a", 0)]);
    await expect.poll(() => isAborted, WAIT).toBe(false);
    engine.freeze();
    const fails = () =>
      from.publish([record(topic, "a", 1)]).then(
        () => false,
        () => true,
      );
    await expect.poll(fails, WAIT).toBe(true);
    await expect.poll(() => isAborted, WAIT).toBe(true);
    engine.thaw();
    await publishAll(from, topic, 3);
    for (const key of keys) {
      await expect.poll(() => new Set(ofKey(handled, key)), WAIT).toEqual(new Set(numbered(key, 3)));
    }
  });
});
