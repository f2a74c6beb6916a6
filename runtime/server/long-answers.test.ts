import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { orderServiceCodecs } from "@shop/generated/shop/orders/v1/orders_codec.js";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { know } from "../codec/known.js";
import { createServerAdapter } from "./adapter.js";
import { type Listener, listen } from "./listen.js";

/** More than a request may hold. */
const LINES = 120_000;

let listener: Listener;

beforeAll(async () => {
  know(orderServiceCodecs);
  const lines = Array.from({ length: LINES }, () => ({ quantity: 1 }));
  const handlers = createServerAdapter({
    routes: (router) => router.service(OrderService, { getOrder: ({ id }) => ({ id, lines }) }),
  });
  listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
});
afterAll(() => listener.drain(0));

test("an answer may hold more messages than a request", async () => {
  const client = createOrderServiceClient({ baseUrl: `http://127.0.0.1:${listener.port}` });
  expect((await client.getOrder({ id: "a" })).lines).toHaveLength(LINES);
});
