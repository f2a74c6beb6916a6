import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { innocent } from "../../../scripts/testing/innocent.js";
import { Between } from "../../http2/testing/between.js";
import { createServerAdapter } from "../../server/adapter.js";
import { type Listener, listen } from "../../server/listen.js";
import type { RunningGateway } from "../start.js";
import { startGatewayTo } from "../testing/gateway.js";

/** Longer than the silence after which a gateway asks whether a service is still there. */
const SILENCE_MS = 10_500;

let service: Listener;
let gateway: RunningGateway;
let client: Client<typeof OrderService>;
const between = new Between();

beforeAll(async () => {
  const handlers = createServerAdapter({
    routes: (router) => router.service(OrderService, { getOrder: ({ id }) => ({ id }) }),
  });
  service = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
  await between.start(service.port);
  gateway = await startGatewayTo(`http://127.0.0.1:${between.port}`);
  client = createClient(OrderService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${gateway.port}` }));
});
afterAll(async () => {
  await gateway?.stop();
  between.stop();
  await service?.drain(0);
});

test.each<[string, (client: Socket) => void]>([
  ["ends", (socket) => socket.end()],
  ["is reset", (socket) => socket.resetAndDestroy()],
])("a service's connection that %s while a PING is outstanding costs no caller a call", async (_, onPing) => {
  await client.getOrder({ id: "before" });
  const others = innocent(async () => {
    const { status } = await fetch(`http://127.0.0.1:${gateway.port}/v1/orders/a`);
    if (status !== 200) throw new Error(`HTTP ${status}`);
  });
  await sleep(SILENCE_MS);
  between.onPing = onPing;
  const calls = innocent(() => client.getOrder({ id: "after" }));
  await sleep(2_000);
  for (const { failures, p99 } of [await calls.stop(), await others.stop()]) {
    expect(Object.fromEntries(failures)).toEqual({});
    expect(p99).toBeLessThan(200);
  }
  expect(between.onPing).toBeUndefined();
});
