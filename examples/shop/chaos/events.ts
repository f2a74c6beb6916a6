import { system } from "@shop/generated/system.js";
import { type Shop, until } from "../testing/shop.js";

/** Who publishes what, and who consumes it. */
const streams = system.services.flatMap(({ name: publisher, publishes = [] }) =>
  publishes.map(({ topic }) => ({
    publisher,
    topic,
    groups: system.services.flatMap(({ name, consumes = [] }) =>
      consumes.some((event) => event.topic === topic) ? [name] : [],
    ),
  })),
);
const consumers = [...new Set(streams.flatMap(({ groups }) => groups))];

/** Whether every event has reached its consumers, or its end among the dead letters. */
export async function eventsAreThrough(shop: Shop): Promise<boolean> {
  return (await everyEventIsTakenOnce(shop)).length === 0 && (await nothingWaits(shop)).length === 0;
}

/** What was committed with an event, each group has taken over: it is in its inbox, which holds no name twice. */
export async function everyEventIsTakenOnce(shop: Shop): Promise<string[]> {
  const faults: string[] = [];
  for (const { publisher, topic, groups } of streams) {
    const published = await shop.query<{ id: string }>(
      publisher,
      `SELECT "attributes"->>'id' AS "id" FROM "scaffold_outbox" WHERE "topic" = '${topic}'`,
    );
    const service = system.services.find(({ name }) => name === publisher)?.service.typeName;
    for (const group of groups) {
      const taken = await shop.query<{ id: string }>(
        group,
        `SELECT "id" FROM "scaffold_inbox" WHERE "group" = '${group}' AND "source" = '${service}'`,
      );
      const known = new Set(taken.map(({ id }) => id));
      const lost = published.filter(({ id }) => !known.has(id)).length;
      if (lost > 0) faults.push(`${lost} of ${published.length} events of ${topic} have not reached ${group}`);
    }
  }
  return faults;
}

/**
 * A group has taken over the events of a key in the order in which they were published: each in the transaction in which it
 * was handled, or in which it was made to wait behind one that failed.
 */
export async function everyKeyIsInOrder(shop: Shop): Promise<string[]> {
  const faults: string[] = [];
  for (const { publisher, topic, groups } of streams) {
    const published = await shop.query<{ id: string; key: string }>(
      publisher,
      `SELECT "attributes"->>'id' AS "id", "key" FROM "scaffold_outbox" WHERE "topic" = '${topic}' ORDER BY "position"`,
    );
    for (const group of groups) {
      const taken = await shop.query<{ id: string; at: string }>(
        group,
        `SELECT "id", (extract(epoch FROM "taken_at") * 1000000)::bigint::text AS "at" FROM "scaffold_inbox"
         WHERE "group" = '${group}' AND "replay" = 0`,
      );
      const times = new Map(taken.map(({ id, at }) => [id, Number(at)]));
      const latest = new Map<string, number>();
      let early = 0;
      for (const { id, key } of published) {
        const at = times.get(id) ?? Number.POSITIVE_INFINITY;
        if (at < (latest.get(key) ?? 0)) early++;
        latest.set(key, at);
      }
      if (early > 0) faults.push(`${early} events of ${topic} came to ${group} before one of their key that is older`);
    }
  }
  return faults;
}

/** The broker has nothing left for anyone, nothing is left that it does not have, and no group says that it misses any. */
export async function nobodyIsBehind(shop: Shop): Promise<string[]> {
  let behind = "";
  await until("nobody is behind", async () => {
    const { subscriptions, outboxes } = JSON.parse(await shop.run("events", "lag", "--json")) as {
      subscriptions: { group: string; topic: string; lag: number | null; missing: number }[];
      outboxes: { service: string; depth: number }[];
    };
    behind = [
      ...subscriptions.flatMap(({ group, topic, lag }) => (lag === 0 ? [] : [`${group} by ${lag} in ${topic}`])),
      // What is not lost is not to be taken for it, either.
      ...subscriptions.flatMap(({ group, topic, missing }) =>
        missing === 0 ? [] : [`${group}, which misses ${missing} of ${topic}`],
      ),
      ...outboxes.flatMap(({ service, depth }) => (depth === 0 ? [] : [`the broker by ${depth} of ${service}`])),
    ].join(", ");
    return behind === "";
  }).catch(() => undefined);
  return behind === "" ? [] : [`still behind: ${behind}`];
}

/** No event waits for a try or behind one, and none was given up. */
export async function nothingWaits(shop: Shop): Promise<string[]> {
  const faults: string[] = [];
  for (const group of consumers) {
    const waiting = await shop.count(group, "scaffold_waiting", "true");
    const dead = await shop.count(group, "scaffold_dead_letters", "true");
    if (waiting > 0) faults.push(`${waiting} events still wait in ${group}`);
    if (dead > 0) faults.push(`${dead} events are dead letters of ${group}`);
  }
  return faults;
}

/** What events say has been counted once for each: no effect is lost, and none doubled. */
export async function effectsAddUp(shop: Shop): Promise<string[]> {
  const orders = await shop.count("orders", "orders", "true");
  const users = await shop.count("users", "users", "true");
  const [sales] = await shop.query<{ orders: string; registrations: string; cents: string }>(
    "analytics",
    `SELECT coalesce(sum("orders"), 0)::text AS "orders", coalesce(sum("registrations"), 0)::text AS "registrations",
       coalesce(sum("revenue_cents"), 0)::text AS "cents" FROM "sales_days"`,
  );
  // What was captured, given back later or not.
  const [taken] = await shop.query<{ cents: string }>(
    "payments",
    `SELECT coalesce(sum("amount_cents"), 0)::text AS "cents" FROM "payments" WHERE "state" IN (1, 3)`,
  );
  return [
    ...(sales?.orders === String(orders) ? [] : [`${orders} orders were placed, and ${sales?.orders} counted`]),
    ...(sales?.registrations === String(users)
      ? []
      : [`${users} users are there, and ${sales?.registrations} counted`]),
    ...(sales?.cents === taken?.cents ? [] : [`${taken?.cents} cents were taken, and ${sales?.cents} counted`]),
  ];
}
