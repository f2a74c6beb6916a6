import { randomUUID } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { type InMemoryService, inMemory } from "@protoscaffold/runtime/testing";
import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { testDatabase } from "protoscaffold/testing/database";
import { afterAll, beforeAll, expect, test } from "vitest";
import { orders } from "./orders.js";

let service: InMemoryService;
let client: ReturnType<typeof createOrderServiceClient>;

beforeAll(async () => {
  const down = () => Promise.reject(new ConnectError("the warehouse is closed", Code.Unavailable));
  service = await inMemory(orders, {
    databaseUrl: await testDatabase(),
    migrations: new URL("./migrations/", import.meta.url),
    peers: { inventory: { reserveStock: down, releaseStock: down } },
  });
  client = createOrderServiceClient({ transport: service.transport });
});

afterAll(() => service?.close());

const request = () => ({
  requestId: randomUUID(),
  customerId: "ada",
  lines: [{ productId: "pen", quantity: 1 }],
  paymentMethod: "card",
});

test("whoever waits for what does not end is answered with the order as it is; it is the same one, waited for or not", async () => {
  const order = request();
  const { id } = await client.placeOrder(order);
  // By the contract it has 5 s, of which the last is left to the answer.
  expect(await client.placeOrder({ ...order, wait: true })).toMatchObject({ id, state: OrderState.PENDING });
  expect(await client.placeOrder(order)).toMatchObject({ id });
});
