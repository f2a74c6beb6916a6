import { inMemory } from "@protoscaffold/runtime/testing";
import { orderPlaced } from "@shop/generated/shop/orders/v1/orders_events.js";
import { createRecommendationServiceClient } from "@shop/generated/shop/recommendations/v1/recommendations_client.js";
import { testDatabase } from "protoscaffold/testing/database";
import { afterAll, beforeAll, expect, test } from "vitest";
import { recommendations } from "./recommendations.js";

let service: Awaited<ReturnType<typeof inMemory>>;
let client: ReturnType<typeof createRecommendationServiceClient>;
let orders = 0;

beforeAll(async () => {
  const migrations = new URL("./migrations/", import.meta.url);
  service = await inMemory(recommendations, { databaseUrl: await testDatabase(), migrations });
  client = createRecommendationServiceClient({ transport: service.transport });
});
afterAll(() => service?.close());

function order(...products: string[]) {
  const orderId = `order-${++orders}`;
  const lines = products.map((productId) => ({ productId, quantity: 1 }));
  return service.deliver(orderPlaced, { orderId, customerId: "ada", lines }, orderId);
}

const boughtWith = async (productId: string, pageSize = 0) =>
  (await client.listRecommendations({ productId, pageSize })).recommendations.map(({ productId, orders }) => [
    productId,
    Number(orders),
  ]);

test("what is ordered together most often comes first", async () => {
  await order("cup", "tray", "towel");
  await order("tray", "cup", "cup");
  await order("tray");
  expect(await boughtWith("cup")).toEqual([
    ["tray", 2],
    ["towel", 1],
  ]);
  expect(await boughtWith("towel")).toEqual([
    ["cup", 1],
    ["tray", 1],
  ]);
  expect(await boughtWith("cup", 1)).toEqual([["tray", 2]]);
  expect(await boughtWith("lamp")).toEqual([]);
});

test("the same order twice is counted once, and many at once lose none of each other", async () => {
  const lines = ["pen", "ink", "paper"].map((productId) => ({ productId, quantity: 1 }));
  const backwards = lines.toReversed();
  await Promise.all(
    Array.from({ length: 30 }, (_, number) => {
      const event = { orderId: `order-${number}`, customerId: "ada", lines: number % 2 ? lines : backwards };
      return service.deliver(orderPlaced, event, `many-${number % 15}`);
    }),
  );
  expect(await boughtWith("pen")).toEqual([
    ["ink", 15],
    ["paper", 15],
  ]);
});

test("products may be called as they like", async () => {
  const strange = `a "quoted" \\ name = 'x' AND\n`;
  await order(strange, "lamp");
  expect(await boughtWith(strange)).toEqual([["lamp", 1]]);
});
