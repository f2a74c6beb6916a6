import { once } from "node:events";
import { connect } from "node:net";
import { toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { GetOrderRequestSchema, OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { expect, onTestFinished, test } from "vitest";
import { answer } from "../../rpc/answer.js";
import { Flag, FrameType } from "../../rpc/http2/frames.js";
import { frame, message, Peer, uint32 } from "../../rpc/http2/testing/peer.js";
import { listen } from "../../rpc/listen.js";
import { innocent } from "../../testing/innocent.js";
import { startGatewayTo } from "../testing/gateway.js";

const watch = "/shop.orders.v1.OrderService/WatchOrder";
const request = message(toBinary(GetOrderRequestSchema, { $typeName: GetOrderRequestSchema.typeName, id: "1" }));

/** A gateway, and the calls of callers who do nothing wrong: one stream, and others that are answered. */
async function start() {
  const wakes = new Set<() => void>();
  const { http1, http2 } = answer({
    routes: (router) =>
      router.service(OrderService, {
        getOrder: ({ id }) => ({ id }),
        async *watchOrder({ id }, { signal }) {
          if (id === "1") await once(signal, "abort");
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
  const stream = client.watchOrder({ id: "innocent" }, { signal: leave.signal })[Symbol.asyncIterator]();
  expect((await stream.next()).value).toMatchObject({ id: "innocent" });
  const calls = innocent(() => client.getOrder({ id: "a" }));
  onTestFinished(async () => {
    leave.abort();
    await gateway.stop();
    await service.drain(0);
  });
  return {
    port: gateway.port,
    async unharmed() {
      const { failures, p99 } = await calls.stop();
      expect(Object.fromEntries(failures)).toEqual({});
      expect(p99).toBeLessThan(200);
      for (const wake of wakes) wake();
      expect((await stream.next()).value).toMatchObject({ id: "last" });
    },
  };
}

test("thousands of calls that strangers break off harm nobody who shares their gateway", async () => {
  const { port, unharmed } = await start();
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

test("thousands of requests over HTTP/1.1 that strangers break off harm nobody who shares their gateway", async () => {
  const { port, unharmed } = await start();
  const watched = await fetch(`http://127.0.0.1:${port}/v1/orders/innocent:watch`);
  for (let batch = 0; batch < 60; batch++) {
    await Promise.all(
      Array.from({ length: 40 }, async () => {
        const socket = connect({ port, host: "127.0.0.1", noDelay: true }).on("error", () => undefined);
        await once(socket, "connect");
        socket.write("GET /v1/orders/1:watch HTTP/1.1\r\nHost: localhost\r\n\r\n");
        await new Promise((resolve) => setTimeout(resolve, 30));
        socket.destroy();
      }),
    );
  }
  await unharmed();
  expect(await watched.text()).toContain('"id":"last"');
});
