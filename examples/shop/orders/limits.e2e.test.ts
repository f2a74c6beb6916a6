import { randomUUID } from "node:crypto";
import { createInventoryServiceClient } from "@shop/generated/shop/inventory/v1/inventory_client.js";
import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { innocent } from "../../../scripts/testing/innocent.js";
import { type Shop, startShop } from "../testing/shop.js";

const ORDERS = 200;

let shop: Shop;

beforeAll(async () => {
  shop = await startShop();
});
afterAll(() => shop?.stop());

test("orders that can never be paid for are cancelled, and slow nobody else", async () => {
  const goods = createInventoryServiceClient({ baseUrl: shop.address });
  const client = createOrderServiceClient({ baseUrl: shop.address });
  const id = randomUUID();
  await goods.createProduct({ product: { id, name: "Gold", priceCents: 100_000_000n }, requestId: id });
  await goods.createStock({ stock: { productId: id, available: 1_000_000_000 }, requestId: id });

  const place = (productId: string, ...quantities: number[]) =>
    client.placeOrder({
      requestId: randomUUID(),
      customerId: "ada",
      lines: quantities.map((quantity) => ({ productId, quantity })),
      paymentMethod: "card",
    });
  const onTheWay = (await shop.processes()).filter(({ service }) =>
    /^(gateway-\d|orders|inventory|payments)$/.test(service),
  );
  const first = await place("espresso-cup", 1);
  const caller = innocent(() => client.getOrder({ id: first.id }), 20, [
    shop.supervisor.pid!,
    ...onTheWay.map(({ pid }) => pid!),
  ]);
  // More than a payment may be.
  const placed = [];
  for (let n = 0; n < ORDERS; n++) placed.push(await place(id, 1_000, 1_000));
  for (const order of placed) {
    const state = async () => (await client.getOrder({ id: order.id })).state;
    await expect.poll(state, { timeout: 60_000 }).toBe(OrderState.CANCELLED);
  }
  const { failures, p99 } = await caller.stop();
  expect(Object.fromEntries(failures)).toEqual({});
  expect(p99).toBeLessThan(200);
  expect(await goods.getStock({ productId: id })).toMatchObject({ available: 1_000_000_000, reserved: 0 });
});
