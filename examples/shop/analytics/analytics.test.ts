import { inMemory } from "@protoscaffold/runtime/testing";
import { createAnalyticsServiceClient } from "@shop/generated/shop/analytics/v1/analytics_client.js";
import { orderPlaced } from "@shop/generated/shop/orders/v1/orders_events.js";
import { paymentCaptured } from "@shop/generated/shop/payments/v1/payments_events.js";
import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { testDatabase } from "protoscaffold/testing/database";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { analytics } from "./analytics.js";

let service: Awaited<ReturnType<typeof inMemory>>;
let client: ReturnType<typeof createAnalyticsServiceClient>;

beforeAll(async () => {
  const migrations = new URL("./migrations/", import.meta.url);
  service = await inMemory(analytics, { databaseUrl: await testDatabase(), migrations });
  client = createAnalyticsServiceClient({ transport: service.transport });
});
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});
afterAll(() => service?.close());

test("each event is counted once, on the day on which it happened", async () => {
  vi.setSystemTime("2026-01-31T23:59:59Z");
  const lines = [
    { productId: "oak-tray", quantity: 2 },
    { productId: "desk-lamp", quantity: 1 },
  ];
  for (let time = 0; time < 2; time++) {
    await service.deliver(userRegistered, { userId: "ada" }, "registered");
    await service.deliver(orderPlaced, { orderId: "1", customerId: "ada", lines }, "placed");
    await service.deliver(paymentCaptured, { orderId: "1", amountCents: 15_250n }, "captured");
  }
  vi.setSystemTime("2026-02-01T00:00:00Z");
  await service.deliver(orderPlaced, { orderId: "2", customerId: "ada", lines: lines.slice(1) }, "placed too");

  const january = { day: "2026-01-31", registrations: 1n, orders: 1n, items: 3n, revenueCents: 15_250n };
  const february = { day: "2026-02-01", registrations: 0n, orders: 1n, items: 1n, revenueCents: 0n };
  expect(await client.getSalesDay({ day: "2026-01-31" })).toMatchObject(january);
  expect((await client.listSalesDays({})).salesDays).toMatchObject([january, february]);
  expect((await client.listSalesDays({ filter: `day > "2026-01-31"` })).salesDays).toMatchObject([february]);
});

test("many orders at once lose none of each other", async () => {
  vi.setSystemTime("2026-03-01T12:00:00Z");
  await Promise.all(
    Array.from({ length: 30 }, (_, order) =>
      service.deliver(orderPlaced, { orderId: `many-${order}`, lines: [{ productId: "oak-tray", quantity: order }] }),
    ),
  );
  expect(await client.getSalesDay({ day: "2026-03-01" })).toMatchObject({ orders: 30n, items: 435n });
});
