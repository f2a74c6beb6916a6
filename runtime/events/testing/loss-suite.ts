import { randomUUID } from "node:crypto";
import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, expect, test } from "vitest";
import { execute } from "../../../generator/testing/tables.js";
import type { Broker } from "../broker.js";
import { measureSpan, readMissing, replayProgress, requestReplay } from "../operate.js";
import { openRegistrations, registrationDatabase, startRegistrations } from "./registrations.js";

const WAIT = { timeout: 60_000, interval: 20 };

/** What a group makes of a broker that says it has events, and loses them: with the real thing, from which they are withheld. */
export function testLosses(open: () => Promise<Broker> | Broker): void {
  const running: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const part of running.splice(0).reverse()) await part.close();
  });

  test("what the broker loses is noticed, and a replay brings that and nothing else", async () => {
    const [producerUrl, consumerUrl] = await Promise.all([registrationDatabase(), registrationDatabase()]);
    const [producer, consumer] = [openRegistrations(producerUrl), openRegistrations(consumerUrl)];
    const topic = `test.${randomUUID()}`;
    const event = { ...userRegistered, topic, partitions: 4 };
    const group = `group-${randomUUID()}`;
    const real = await open();
    let lost: readonly string[] = [];
    const broker: Broker = {
      ...real,
      publish: (records) => real.publish(records.filter(({ attributes }) => !lost.includes(attributes.topicnumber!))),
    };
    running.push(
      producer,
      startRegistrations(producer, { name: group, broker, publishes: [event] }),
      consumer,
      startRegistrations(consumer, {
        name: group,
        broker: real,
        policy: { event },
        async handler({ event: { email } }, { tx }) {
          await tx.products.create({ name: email });
        },
        lookMs: 20,
        missing: { everyMs: 20, overtakenMs: 200, idleMs: 1000, share: 1 },
      }),
    );
    const publish = async (numbers: readonly number[]) => {
      for (const n of numbers) {
        await producer.transaction((tx) => tx.publish(event, { userId: `key ${n}`, email: String(n) }));
      }
    };
    /** The numbers of what had its effect; one that had it twice is there twice. */
    const effects = async () =>
      (await execute(consumerUrl, `SELECT "name" FROM "products" ORDER BY "name"::integer`)).rows.map(({ name }) =>
        Number(name),
      );
    const missing = () => readMissing(consumerUrl, { group, source: UserService.typeName, topic });

    await publish(range(1, 20));
    await expect.poll(effects, WAIT).toEqual(range(1, 20));
    const isCounting = async () =>
      (await execute(consumerUrl, `SELECT FROM "scaffold_accounts" WHERE "opened"`)).rowCount === 1;
    await expect.poll(isCounting, WAIT).toBe(true);

    lost = ["25", "31", "32"];
    await publish(range(21, 60));
    await expect.poll(missing, WAIT).toEqual({ numbers: "{[25,26),[31,33)}", count: 3 });
    expect(await effects()).toEqual(range(1, 60).filter((n) => !lost.includes(String(n))));

    lost = [];
    const span = await measureSpan(producerUrl, { topic, numbers: "{[25,26),[31,33)}" });
    const replay = await requestReplay(producerUrl, group, span!);
    await expect.poll(async () => (await replayProgress(producerUrl, replay))?.isOver, WAIT).toBe(true);
    await expect.poll(missing, WAIT).toBeUndefined();
    expect(await effects()).toEqual(range(1, 60));
  });
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
