import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Broker, BrokerSubscription, SubscribeOptions, Topic } from "../broker.js";
import type { EventRecord, ReceivedRecord } from "../record.js";

/** A broker's engine under test. */
export interface Engine {
  /** A broker of its own connections, as one process has it. */
  open(): Promise<Broker>;
  /** Kills the engine, as a power cut would. */
  kill(): Promise<void>;
  /** Has it back, with what it had. */
  restart(): Promise<void>;
  /** Ends it for good. */
  close(): Promise<void>;
}

const WAIT = { timeout: 60_000, interval: 20 };

/** What every broker must do, against the real thing. */
export function describeBroker(name: string, setUp: () => Promise<Engine>): void {
  describe(`a broker: ${name}`, () => {
    let engine: Engine;
    const open: Broker[] = [];
    const subscriptions: BrokerSubscription[] = [];

    beforeAll(async () => {
      engine = await setUp();
    });
    afterEach(async () => {
      await Promise.all(subscriptions.splice(0).map((subscription) => subscription.close()));
      await Promise.all(open.splice(0).map((broker) => broker.close()));
    });
    afterAll(() => engine?.close());

    async function broker(): Promise<Broker> {
      const opened = await engine.open();
      open.push(opened);
      return opened;
    }

    /** A topic of its own for each test. */
    function topic(groups: readonly string[] = [], partitions = 4): Topic {
      return { name: `test.${randomUUID()}`, partitions, retentionMs: 3_600_000, groups };
    }

    /** Subscribes, and remembers what is handed out. */
    function collect(
      from: Broker,
      group: string,
      topics: readonly Topic[],
      options: Partial<SubscribeOptions> = {},
    ): { received: ReceivedRecord[]; subscription: BrokerSubscription } {
      const received: ReceivedRecord[] = [];
      const handle = async (records: readonly ReceivedRecord[]) => {
        received.push(...records);
      };
      const subscription = from.subscribe({ group, topics, batch: 100, handle, ...options });
      subscriptions.push(subscription);
      return { received, subscription };
    }

    async function gone(subscription: BrokerSubscription): Promise<void> {
      subscriptions.splice(subscriptions.indexOf(subscription), 1);
      await subscription.close();
    }

    const record = ({ name }: Topic, key: string, n: number): EventRecord => ({
      topic: name,
      key,
      attributes: {
        specversion: "1.0",
        id: `${key}-${n}`,
        source: "test.v1.TestService",
        type: "test.v1.Tested",
        time: "2026-11-25T04:00:00.000Z",
        datacontenttype: "application/protobuf",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        sequence: String(n),
      },
      payload: Uint8Array.of(0, 255, n & 255, 10, 13),
    });
    const ids = (records: readonly EventRecord[]) => records.map(({ attributes }) => attributes.id);
    const ofKey = (records: readonly EventRecord[], key: string) => ids(records.filter((one) => one.key === key));
    const numbered = (key: string, count: number) => Array.from({ length: count }, (_, n) => `${key}-${n}`);
    const keys = ["a", "b", "c", "d", "e", "f", "g"];

    test("an event arrives as it was published: attributes, key, bytes", async () => {
      const [from, to] = [await broker(), await broker()];
      const one = topic(["g"]);
      await from.declare([one]);
      const sent = {
        ...record(one, "schlüssel/1", 7),
        payload: Uint8Array.from({ length: 70_000 }, (_, n) => n & 255),
      };
      await from.publish([sent]);
      const { received } = collect(to, "g", [one]);
      await expect.poll(() => received.length, WAIT).toBe(1);
      expect(received[0]).toMatchObject({ topic: one.name, key: sent.key, attributes: sent.attributes });
      expect(Buffer.compare(received[0]?.payload as Uint8Array, sent.payload)).toBe(0);
    });

    test("every group gets every event; members of one share them", async () => {
      const from = await broker();
      const one = topic(["shared", "alone"]);
      await from.declare([one]);
      const [first, second] = [collect(await broker(), "shared", [one]), collect(await broker(), "shared", [one])];
      const alone = collect(await broker(), "alone", [one]);
      await Promise.all([first, second, alone].map(({ subscription }) => subscription.ready()));
      const records = Array.from({ length: 40 }, (_, n) => keys.map((key) => record(one, key, n))).flat();
      await from.publish(records);
      await expect.poll(() => alone.received.length, WAIT).toBe(records.length);
      await expect.poll(() => first.received.length + second.received.length, WAIT).toBe(records.length);
      expect(ids([...first.received, ...second.received]).toSorted()).toEqual(ids(records).toSorted());
      for (const key of keys) {
        expect(ofKey(alone.received, key)).toEqual(numbered(key, 40));
        // One member has a key whole, unless it changed hands in the middle.
        expect([...ofKey(first.received, key), ...ofKey(second.received, key)].toSorted()).toEqual(
          numbered(key, 40).toSorted(),
        );
      }
    });

    test("events without a key all arrive", async () => {
      const from = await broker();
      const one = topic(["g"]);
      await from.declare([one]);
      await from.publish(Array.from({ length: 50 }, (_, n) => ({ ...record(one, "", n), key: "" })));
      const { received } = collect(from, "g", [one]);
      await expect.poll(() => ids(received).toSorted(), WAIT).toEqual(numbered("", 50).toSorted());
    });

    test("what was published before a group first started is there for it", async () => {
      const from = await broker();
      const one = topic(["late"]);
      await from.declare([one]);
      await from.publish(Array.from({ length: 20 }, (_, n) => record(one, "a", n)));
      const { received } = collect(await broker(), "late", [one]);
      await expect.poll(() => ofKey(received, "a"), WAIT).toEqual(numbered("a", 20));
    });

    test("what was settled does not come again; what was not does, in order", async () => {
      const from = await broker();
      const one = topic(["g"]);
      await from.declare([one]);
      await from.publish(Array.from({ length: 10 }, (_, n) => record(one, "a", n)));
      let refusals = 2;
      const settled: string[] = [];
      const handle = async (records: readonly ReceivedRecord[]) => {
        if (refusals-- > 0) throw new Error("not now");
        settled.push(...(ids(records) as string[]));
      };
      const { subscription } = collect(await broker(), "g", [one], { handle });
      await expect.poll(() => settled, WAIT).toEqual(numbered("a", 10));
      await gone(subscription);
      await from.publish([record(one, "a", 10)]);
      const next = collect(await broker(), "g", [one]);
      await expect.poll(() => ids(next.received), WAIT).toEqual(["a-10"]);
    });

    test("no more than a batch is handed out at a time, and one batch of a partition", async () => {
      const from = await broker();
      const one = topic(["g"], 1);
      await from.declare([one]);
      await from.publish(Array.from({ length: 30 }, (_, n) => record(one, "a", n)));
      let running = 0;
      const seen = { most: 0, batches: [] as number[], ids: [] as string[] };
      collect(await broker(), "g", [one], {
        batch: 7,
        async handle(records) {
          seen.most = Math.max(seen.most, ++running);
          seen.batches.push(records.length);
          seen.ids.push(...(ids(records) as string[]));
          await new Promise((resolve) => setTimeout(resolve, 5));
          running--;
        },
      });
      await expect.poll(() => seen.ids, WAIT).toEqual(numbered("a", 30));
      expect(seen.most).toBe(1);
      expect(Math.max(...seen.batches)).toBeLessThanOrEqual(7);
    });

    test("a member that leaves lets its batch end, and another goes on after it", async () => {
      const from = await broker();
      const one = topic(["g"], 1);
      await from.declare([one]);
      await from.publish(Array.from({ length: 4 }, (_, n) => record(one, "a", n)));
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const seen: string[] = [];
      const first = collect(await broker(), "g", [one], {
        batch: 2,
        async handle(records) {
          seen.push(...(ids(records) as string[]));
          await held;
        },
      });
      await expect.poll(() => seen.length, WAIT).toBe(2);
      const leaving = gone(first.subscription);
      release();
      await leaving;
      expect(seen).toEqual(["a-0", "a-1"]);
      const second = collect(await broker(), "g", [one]);
      await expect.poll(() => ids(second.received), WAIT).toEqual(["a-2", "a-3"]);
    });

    test("lag is what a group has still before it", async () => {
      const from = await broker();
      const one = topic(["g"]);
      await from.declare([one]);
      await from.publish(Array.from({ length: 12 }, (_, n) => record(one, keys[n % 7] as string, n)));
      const lag = async () => (await from.lag("g", [one.name])).get(one.name);
      // In which partitions they are is the broker's affair.
      await expect.poll(async () => (await lag())?.reduce((sum, each) => sum + each), WAIT).toBe(12);
      const { received } = collect(await broker(), "g", [one]);
      await expect.poll(lag, WAIT).toEqual([0, 0, 0, 0]);
      await from.publish([record(one, "a", 12)]);
      await expect.poll(() => received.length, WAIT).toBe(13);
      const { partition } = received.find(({ attributes }) => attributes.id === "a-12")!;
      await expect.poll(lag, WAIT).toEqual([0, 0, 0, 0]);
      await Promise.all(subscriptions.splice(0).map((subscription) => subscription.close()));
      await from.publish([record(one, "a", 13), record(one, "a", 14)]);
      await expect.poll(lag, WAIT).toEqual([0, 1, 2, 3].map((index) => (index === partition ? 2 : 0)));
    });

    test("a broker that is killed and comes back costs delay, and nothing else", async () => {
      const [from, to] = [await broker(), await broker()];
      const one = topic(["g"]);
      await from.declare([one]);
      const { received, subscription } = collect(to, "g", [one]);
      await subscription.ready();
      await from.publish(keys.map((key) => record(one, key, 0)));
      await expect.poll(() => received.length, WAIT).toBe(keys.length);
      await engine.kill();
      await expect(from.publish(keys.map((key) => record(one, key, 1)))).rejects.toThrow();
      await engine.restart();
      // Again, as the relay does: some of it may have come through before.
      await expect
        .poll(
          () =>
            from.publish(keys.map((key) => record(one, key, 1))).then(
              () => true,
              () => false,
            ),
          WAIT,
        )
        .toBe(true);
      await from.publish(keys.map((key) => record(one, key, 2)));
      for (const key of keys) {
        await expect.poll(() => [...new Set(ofKey(received, key))], WAIT).toEqual(numbered(key, 3));
      }
    });

    test("a broker that was away for so long that a member gave up what it had hands it out again", async () => {
      const [from, to] = [await broker(), await broker()];
      const one = topic(["g"], 1);
      await from.declare([one]);
      const received: ReceivedRecord[] = [];
      let lost: AbortSignal | undefined;
      const { subscription } = collect(to, "g", [one], {
        async handle(records, signal) {
          if (lost === undefined) {
            lost = signal;
            await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
          }
          received.push(...records);
        },
      });
      await subscription.ready();
      await from.publish([record(one, "a", 0)]);
      await expect.poll(() => lost, WAIT).toBeDefined();
      await engine.kill();
      await expect.poll(() => lost?.aborted, WAIT).toBe(true);
      await engine.restart();
      await expect.poll(() => [...new Set(ofKey(received, "a"))], WAIT).toEqual(numbered("a", 1));
    });

    test("a broker that is not there yet is waited for", async () => {
      await engine.kill();
      const [from, to] = [await broker(), await broker()];
      const one = topic(["g"]);
      const { received } = collect(to, "g", [one]);
      await expect(from.declare([one])).rejects.toThrow();
      await engine.restart();
      await expect
        .poll(
          () =>
            from.declare([one]).then(
              () => true,
              () => false,
            ),
          WAIT,
        )
        .toBe(true);
      await from.publish([record(one, "a", 0)]);
      await expect.poll(() => ids(received), WAIT).toEqual(["a-0"]);
    });
  });
}
