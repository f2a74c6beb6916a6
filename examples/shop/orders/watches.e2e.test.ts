import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { innocent } from "../../../scripts/testing/innocent.js";
import { type Shop, startShop } from "../testing/shop.js";

/** A gateway takes 250 streams of one connection. */
const CONNECTIONS = 5;
const WATCHERS = 200 * CONNECTIONS;

let shop: Shop;

beforeAll(async () => {
  shop = await startShop();
});
afterAll(() => shop?.stop());

test("a thousand idle watchers slow nobody else", async () => {
  const client = createOrderServiceClient({ baseUrl: shop.address });
  const place = () =>
    client.placeOrder({
      requestId: randomUUID(),
      customerId: "ada",
      lines: [{ productId: "oak-tray", quantity: 1 }],
      paymentMethod: "declined",
    });
  const watched = await client.placeOrder({
    requestId: randomUUID(),
    customerId: "ada",
    lines: [{ productId: "espresso-cup", quantity: 1 }],
    paymentMethod: "card",
    wait: true,
  });
  const gone = new AbortController();
  setMaxListeners(WATCHERS, gone.signal);
  let open = 0;
  // Clients of ours to one address share a connection.
  const watchers = Array.from({ length: CONNECTIONS }, () =>
    createClient(OrderService, createGrpcTransport({ baseUrl: shop.address })),
  );
  const watching = Array.from({ length: WATCHERS }, async (_, n) => {
    let isFirst = true;
    try {
      for await (const _ of watchers[n % CONNECTIONS]!.watchOrder({ id: watched.id }, { signal: gone.signal })) {
        if (isFirst) open++;
        isFirst = false;
      }
    } catch (error) {
      if (!gone.signal.aborted) throw error;
    }
  });
  await Promise.race([expect.poll(() => open, { timeout: 60_000 }).toBe(WATCHERS), Promise.all(watching)]);
  expect(open).toBe(WATCHERS);
  const onTheWay = (await shop.processes()).filter(({ service }) =>
    /^(gateway-\d|orders|inventory|payments)$/.test(service),
  );
  const caller = innocent(place, 100, [shop.supervisor.pid!, ...onTheWay.map(({ pid }) => pid!)]);
  await expect.poll(() => shop.count("orders", "orders", "true"), { timeout: 60_000 }).toBeGreaterThan(50);
  const { failures, p99 } = await caller.stop();
  gone.abort();
  await Promise.all(watching);
  expect(failures).toEqual(new Map());
  expect(p99).toBeLessThan(200);
});
