import { randomUUID } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { type InMemoryService, inMemory } from "@protoscaffold/runtime/testing";
import { createInventoryServiceClient } from "@shop/generated/shop/inventory/v1/inventory_client.js";
import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { type Order, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { createPaymentServiceClient } from "@shop/generated/shop/payments/v1/payments_client.js";
import { testDatabase } from "protoscaffold/testing/database";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inventory } from "../inventory/inventory.js";
import { payments } from "../payments/payments.js";
import { orders } from "./orders.js";

const LARGEST_STOCK = 1_000_000_000;
const HIGHEST_PRICE = 100_000_000n;

let services: InMemoryService[];
let goods: ReturnType<typeof createInventoryServiceClient>;
let shop: ReturnType<typeof createOrderServiceClient>;

beforeAll(async () => {
  const open = async (name: string) => ({
    databaseUrl: await testDatabase(),
    migrations: new URL(`../${name}/migrations/`, import.meta.url),
  });
  const stock = await inMemory(inventory, await open("inventory"));
  const bank = await inMemory(payments, await open("payments"));
  goods = createInventoryServiceClient({ transport: stock.transport });
  const peers = { inventory: goods, payments: createPaymentServiceClient({ transport: bank.transport }) };
  const service = await inMemory(orders, { ...(await open("orders")), peers });
  shop = createOrderServiceClient({ transport: service.transport });
  services = [service, stock, bank];
});

afterAll(async () => {
  for (const service of services ?? []) await service.close();
});

/** Adds a product at the highest price, with so many in stock; returns its id. */
async function stocked(available: number): Promise<string> {
  const id = randomUUID();
  await goods.createProduct({ product: { id, name: "Gold", priceCents: HIGHEST_PRICE }, requestId: id });
  await goods.createStock({ stock: { productId: id, available }, requestId: id });
  return id;
}

/** Orders one product, a line for each quantity; returns the order at its end. */
async function order(productId: string, ...quantities: number[]): Promise<Order> {
  const lines = quantities.map((quantity) => ({ productId, quantity }));
  const { id } = await shop.placeOrder({ requestId: randomUUID(), customerId: "ada", lines, paymentMethod: "card" });
  await expect.poll(() => current(id), { timeout: 30_000 }).not.toBe(OrderState.PENDING);
  return shop.getOrder({ id });
}

const current = async (id: string) => (await shop.getOrder({ id })).state;

test.each([HIGHEST_PRICE + 1n, 2n ** 63n - 1n])("a price of %d is refused", async (priceCents) => {
  const creation = goods.createProduct({ product: { name: "Gold", priceCents }, requestId: randomUUID() });
  await expect(creation).rejects.toMatchObject({ code: Code.InvalidArgument });
});

test("a product has a bounded number of tags, each of a bounded length", async () => {
  for (const tags of [Array(21).fill("tag"), ["t".repeat(51)]]) {
    const creation = goods.createProduct({ product: { name: "Gold", priceCents: 1n, tags }, requestId: randomUUID() });
    await expect(creation).rejects.toMatchObject({ code: Code.InvalidArgument });
  }
});

test.each(["customerId", "paymentMethod", "productId"])(
  "an order with a %s of 65 characters is refused",
  async (name) => {
    const long = { [name]: "x".repeat(65) };
    const lines = [{ productId: "gold", quantity: 1, ...long }];
    const order = { requestId: randomUUID(), customerId: "ada", paymentMethod: "card", lines, ...long };
    await expect(shop.placeOrder(order)).rejects.toMatchObject({ code: Code.InvalidArgument });
  },
);

test("what is set aside can always be put back, whatever a caller counts meanwhile", async () => {
  const id = await stocked(10);
  const { id: orderId, state } = await order(id, 3);
  expect(state).toBe(OrderState.CONFIRMED);
  for (const available of [2 ** 31 - 1, LARGEST_STOCK, LARGEST_STOCK - 2]) {
    const correction = goods.updateStock({ stock: { productId: id, available }, updateMask: { paths: ["available"] } });
    await expect(correction).rejects.toMatchObject({ code: Code.InvalidArgument });
  }
  await goods.updateStock({ stock: { productId: id, available: LARGEST_STOCK - 3 } });
  expect((await shop.cancelOrder({ id: orderId })).state).toBe(OrderState.CANCELLED);
  expect(await goods.getStock({ productId: id })).toMatchObject({ available: LARGEST_STOCK, reserved: 0 });
});

test("an order that costs more than a payment may be is cancelled, and its goods are put back", async () => {
  const id = await stocked(2001);
  expect((await order(id, 1000)).state).toBe(OrderState.CONFIRMED);
  const { state, cancelReason } = await order(id, 1000, 1);
  expect(state).toBe(OrderState.CANCELLED);
  expect(cancelReason).toContain("amount_cents");
  expect(await goods.getStock({ productId: id })).toMatchObject({ available: 1001, reserved: 1000 });
});
