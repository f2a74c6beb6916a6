import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { GetOrderRequestSchema, OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { describe, expect, onTestFinished, test } from "vitest";
import { innocent } from "../../../scripts/testing/innocent.js";
import type { RpcTransport } from "../../config/transport.js";
import { Flag, FrameType } from "../../http2/frames.js";
import { frame, message, Peer, uint32 } from "../../http2/testing/peer.js";
import { createServerAdapter } from "../../server/adapter.js";
import { listen } from "../../server/listen.js";
import { startGatewayTo } from "../testing/gateway.js";

const watch = "/shop.orders.v1.OrderService/WatchOrder";
const get = "/shop.orders.v1.OrderService/GetOrder";
const long = message(toBinary(GetOrderRequestSchema, { $typeName: GetOrderRequestSchema.typeName, id: "long" }));
const request = message(toBinary(GetOrderRequestSchema, { $typeName: GetOrderRequestSchema.typeName, id: "1" }));

/** As a proxy beside the gateway says it: callers at another address than those who break calls off. */
const elsewhere = { "x-forwarded-for": "192.0.2.7" };

/** A gateway before a service, and the calls of callers who do nothing wrong: one stream, and others that are answered. */
async function start(transport: RpcTransport) {
  const wakes = new Set<() => void>();
  let running = 0;
  const { http1, http2 } = createServerAdapter({
    transport,
    routes: (router) =>
      router.service(OrderService, {
        getOrder: ({ id }) => ({ id: id === "long" ? "x".repeat(3_500_000) : id }),
        async *watchOrder({ id }, { signal }) {
          if (id === "1") {
            running++;
            await once(signal, "abort").finally(() => running--);
          }
          yield { id };
          await new Promise<void>((resolve) => wakes.add(resolve));
          yield { id: "last" };
        },
      }),
  });
  const service = await listen({ http1, http2, host: "127.0.0.1", port: 0 });
  const gateway = await startGatewayTo(`http://127.0.0.1:${service.port}`);
  const client = createClient(OrderService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${gateway.port}` }));
  const leave = new AbortController();
  const stream = client
    .watchOrder({ id: "innocent" }, { signal: leave.signal, headers: elsewhere })
    [Symbol.asyncIterator]();
  expect((await stream.next()).value).toMatchObject({ id: "innocent" });
  const calls = innocent(() => client.getOrder({ id: "a" }, { headers: elsewhere }));
  onTestFinished(async () => {
    leave.abort();
    await gateway.stop();
    await service.drain(0);
  });
  return {
    port: gateway.port,
    /** How many calls that nobody waits for still run. */
    running: () => running,
    async unharmed() {
      const { failures, p99 } = await calls.stop();
      expect(Object.fromEntries(failures)).toEqual({});
      expect(p99).toBeLessThan(200);
      for (const wake of wakes) wake();
      expect((await stream.next()).value).toMatchObject({ id: "last" });
    },
  };
}

describe.each<RpcTransport>(["native", "node"])("before a service on RPC_TRANSPORT=%s", (transport) => {
  test("thousands of calls that strangers break off harm nobody who shares their gateway", async () => {
    const { port, unharmed } = await start(transport);
    for (let connections = 0; connections < 4; connections++) {
      const peer = await Peer.connect(port);
      for (let batch = 0; batch < 45; batch++) {
        const ids = Array.from({ length: 20 }, (_, i) => 2 * (20 * batch + i) + 1);
        for (const id of ids) {
          peer.write(peer.call(id, watch), frame(FrameType.DATA, Flag.END_STREAM, id, request));
        }
        await peer.roundTrip();
        for (const id of ids) peer.write(frame(FrameType.RST_STREAM, 0, id, uint32(8)));
        await peer.roundTrip();
        // More than a thousand in a second, but not all that two processors can do.
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      peer.socket.destroy();
    }
    await unharmed();
  });

  test.each([
    ["REST", "GET /v1/orders/1:watch HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    [
      "gRPC-Web",
      `POST ${watch} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: ${request.length}\r\n\r\n${request.toString("latin1")}`,
    ],
  ])("more than a thousand requests over HTTP/1.1 (%s) that strangers break off harm nobody", async (_, text) => {
    const { port, running, unharmed } = await start(transport);
    const watched = await fetch(`http://127.0.0.1:${port}/v1/orders/innocent:watch`);
    const sockets: Socket[] = [];
    for (let opened = 10; opened <= 1_200; opened += 10) {
      for (let i = 0; i < 10; i++) {
        const socket = connect({ port, host: "127.0.0.1" }).on("error", () => undefined);
        socket.write(text, "latin1");
        sockets.push(socket);
      }
      while (running() < opened) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (let at = 0; at < sockets.length; at += 10) {
      for (const socket of sockets.slice(at, at + 10)) socket.destroy();
      // Faster than the service allows, but not all in one turn of the event loop that all of them share here.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    while (running() > 450) await new Promise((resolve) => setTimeout(resolve, 5));
    // What is left ends in its turn. Until then they may begin no more, and others may.
    const refused = await fetch(`http://127.0.0.1:${port}/v1/orders/a`);
    expect([refused.status, await refused.text()]).toEqual([429, expect.stringContaining("broken off")]);
    expect((await fetch(`http://127.0.0.1:${port}/v1/orders/a`, { headers: elsewhere })).status).toBe(200);
    await unharmed();
    expect(await watched.text()).toContain('"id":"last"');
    // When what is left has ended, they may again.
    const again = async () => (await fetch(`http://127.0.0.1:${port}/v1/orders/a`)).status;
    await expect.poll(again, { timeout: 20_000 }).toBe(200);
    expect(running()).toBeLessThan(100);
  });

  test("long answers that strangers leave unread keep nobody else from being answered", async () => {
    const { port, unharmed } = await start(transport);
    const peers = await Promise.all(Array.from({ length: 4 }, () => Peer.connect(port)));
    for (const peer of peers) {
      for (let id = 1; id < 20; id += 2) {
        peer.write(peer.call(id, get), frame(FrameType.DATA, Flag.END_STREAM, id, long));
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    for (const peer of peers) peer.socket.destroy();
    await unharmed();
  });
});
