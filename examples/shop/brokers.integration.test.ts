import { randomUUID } from "node:crypto";
import { createAnalyticsServiceClient } from "@shop/generated/shop/analytics/v1/analytics_client.js";
import { createNotificationServiceClient } from "@shop/generated/shop/notifications/v1/notifications_client.js";
import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { createRecommendationServiceClient } from "@shop/generated/shop/recommendations/v1/recommendations_client.js";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { kafkaEngine } from "../../scripts/testing/kafka-engine.js";
import { rabbitmqEngine } from "../../scripts/testing/rabbitmq-engine.js";
import { effectsAddUp, eventsAreThrough, everyEventIsTakenOnce } from "./chaos/events.js";
import { type Shop, startShop, until } from "./testing/shop.js";

interface Lag {
  readonly subscriptions: readonly { readonly group: string; readonly topic: string; readonly lag: number | null }[];
  readonly outboxes: readonly { readonly service: string; readonly depth: number }[];
}

const ORDERS_BEFORE = 5;
const TOPIC = "shop.orders.order-placed";
const customerId = `customer-${randomUUID()}`;

/** The same shop over each broker, which is not there when the shop starts. The tests follow each other. */
describe.each([
  ["Kafka", kafkaEngine],
  ["RabbitMQ", rabbitmqEngine],
])("the shop over %s", (_, startEngine) => {
  let engine: Awaited<ReturnType<typeof startEngine>>;
  let shop: Shop;
  const placed: string[] = [];

  beforeAll(async () => {
    engine = await startEngine();
    await engine.kill();
    vi.stubEnv("BROKER_URL", engine.url);
    shop = await startShop();
  }, 120_000);

  afterAll(async () => {
    await shop?.stop();
    await engine?.remove();
    vi.unstubAllEnvs();
  });

  const baseUrl = () => ({ baseUrl: shop.address });
  const readLag = async () => JSON.parse(await shop.run("events", "lag", "--json")) as Lag;
  const lagOf = ({ subscriptions }: Lag, group: string) =>
    subscriptions.find((one) => one.group === group && one.topic === TOPIC)?.lag;
  const depthOf = ({ outboxes }: Lag, name: string) => outboxes.find(({ service }) => service === name)?.depth;

  async function placeOrder(): Promise<void> {
    const lines = ["notebook-a5", "espresso-cup"].map((productId) => ({ productId, quantity: 1 }));
    const order = { requestId: randomUUID(), customerId, lines, paymentMethod: "card", wait: true };
    placed.push((await createOrderServiceClient(baseUrl()).placeOrder(order)).id);
  }

  test("takes orders before the broker is there, and says how many events wait for it", async () => {
    await Promise.all(Array.from({ length: ORDERS_BEFORE }, placeOrder));
    const lag = await readLag();
    expect(lagOf(lag, "notifications")).toBeNull();
    expect(depthOf(lag, "orders")).toBeGreaterThanOrEqual(ORDERS_BEFORE);
  }, 60_000);

  test("what was published before has its lag until a consumer comes for it", async () => {
    const consumer = (await shop.processes()).find(({ service }) => service === "notifications")!;
    // It has not found the broker yet, and holds nothing of it in its hands.
    process.kill(consumer.pid!, "SIGSTOP");
    try {
      await engine.start();
      await until(
        "the broker has all events",
        async () => (await shop.count("orders", "scaffold_outbox", unsent)) === 0,
      );
      const lag = await readLag();
      expect(lagOf(lag, "notifications")).toBe(ORDERS_BEFORE);
      expect(depthOf(lag, "orders")).toBe(0);
    } finally {
      process.kill(consumer.pid!, "SIGCONT");
    }
    await until("every event is handled", () => eventsAreThrough(shop), 60);
    const { subscriptions } = await readLag();
    expect(subscriptions.map(({ lag }) => lag)).toEqual(subscriptions.map(() => 0));
  }, 120_000);

  test("goes on taking orders while the broker is killed, and handles every event once", async () => {
    let isOver = false;
    const traffic = (async () => {
      while (!isOver) await placeOrder();
    })();
    const more = (count: number) => {
      const enough = placed.length + count;
      return until(`${count} more orders are taken`, () => placed.length >= enough);
    };
    try {
      await more(5);
      await engine.kill();
      await more(5);
      await engine.start();
      await more(5);
    } finally {
      isOver = true;
      await traffic;
    }
    await until("every event is handled", () => eventsAreThrough(shop), 60);
    expect(await everyEventIsTakenOnce(shop)).toEqual([]);
    expect(await effectsAddUp(shop)).toEqual([]);
  }, 180_000);

  test("services that nobody called know of all orders, and so does tail", async () => {
    const notifications = createNotificationServiceClient(baseUrl());
    const told: string[] = [];
    for (let pageToken = ""; ; ) {
      const filter = `user_id = "${customerId}"`;
      const page = await notifications.listNotifications({ filter, pageSize: 100, pageToken });
      told.push(...page.notifications.map(({ subject, text }) => `${subject}: ${text}`));
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    const thanks = told.filter((text) => text.startsWith("We have your order"));
    expect(thanks.toSorted()).toEqual(placed.map((id) => `We have your order: 2 things, order ${id}.`).toSorted());

    const { salesDays } = await createAnalyticsServiceClient(baseUrl()).listSalesDays({ pageSize: 100 });
    expect(salesDays.reduce((sum, { orders }) => sum + orders, 0n)).toBe(BigInt(placed.length));

    const request = { productId: "notebook-a5", pageSize: 100 };
    const { recommendations } = await createRecommendationServiceClient(baseUrl()).listRecommendations(request);
    const together = recommendations.find(({ productId }) => productId === "espresso-cup");
    expect(together?.orders).toBe(BigInt(placed.length));

    const args = ["events", "tail", TOPIC, "--from", "beginning", "--no-follow", "--json"];
    const lines = (await shop.run(...args)).trim().split("\n");
    const keys = lines.map((line) => (JSON.parse(line) as { key: string }).key);
    expect(keys.toSorted()).toEqual(placed.toSorted());
  }, 60_000);
});

/** What a relay has not passed on, in its database. */
const unsent = `"position" IS NULL OR "position" > (SELECT "sent" FROM "scaffold_relay")`;
