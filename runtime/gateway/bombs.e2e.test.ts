import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { CreateUsersRequestSchema, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { expect, onTestFinished, test } from "vitest";
import { innocent } from "../../scripts/testing/innocent.js";
import { message } from "../http2/testing/peer.js";
import { createServerAdapter } from "../server/adapter.js";
import { listen } from "../server/listen.js";
import { bombsOf, codeOf, compressedBodies, Http2Client } from "./testing/bombs.js";
import { startGatewayTo } from "./testing/gateway.js";

const MIB = 2 ** 20;
const getOrder = "/shop.orders.v1.OrderService/GetOrder";
const createUsers = "/shop.users.v1.UserService/CreateUsers";
const health = "/grpc.health.v1.Health/Check";

/** A gateway and a service whose streams are not read, in this process, and how much memory they take at most. */
async function start() {
  const routes = (router: ConnectRouter) => {
    router.service(OrderService, { getOrder: ({ id }) => ({ id }) });
    router.service(UserService, {
      createUsers: (_, { signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve({}))),
    });
  };
  const service = await listen({ ...createServerAdapter({ routes }), host: "127.0.0.1", port: 0 });
  const gateway = await startGatewayTo(`http://127.0.0.1:${service.port}`);
  const caller = new Http2Client(gateway.port);
  const before = process.memoryUsage.rss();
  let most = before;
  const sample = () => {
    most = Math.max(most, process.memoryUsage.rss());
  };
  const timer = setInterval(sample, 5);
  const load = innocent(async () => {
    const said = await caller.call(getOrder, { "content-type": "application/json" }, Buffer.from('{"id":"a"}'));
    if (!said.includes('"id":"a"')) throw new Error(said);
  });
  onTestFinished(async () => {
    clearInterval(timer);
    caller.close();
    await gateway.stop();
    await service.drain(0);
  });
  return {
    ports: { service: service.port, gateway: gateway.port },
    async unharmed(mostMib: number) {
      const { failures, p99 } = await load.stop();
      sample();
      expect(Object.fromEntries(failures)).toEqual({});
      expect(p99).toBeLessThan(200);
      expect((most - before) / MIB).toBeLessThan(mostMib);
    },
  };
}

test("messages that unpack to 300 MB each harm nobody, at any door", async () => {
  const bombs = bombsOf(300 * MIB).filter(({ encoding }) => encoding !== "deflate");
  const { ports, unharmed } = await start();
  const doors = [
    [ports.service, getOrder],
    [ports.gateway, getOrder],
    [ports.gateway, health],
  ] as const;
  for (const [port, path] of doors) {
    const attacker = new Http2Client(port);
    onTestFinished(() => attacker.close());
    for (const [protocol, wrap] of Object.entries(compressedBodies)) {
      if (protocol === "Connect stream") continue;
      const calls = [...bombs, ...bombs, ...bombs, ...bombs].map(wrap);
      const all = await Promise.all(calls.map(({ headers, body }) => attacker.call(path, headers, body)));
      for (const said of all) expect(["8", "resource_exhausted"], said).toContain(codeOf(said));
    }
  }
  await unharmed(300);
});

test("messages of a stream that nobody reads stay packed", async () => {
  const user = { displayName: "x".repeat(4_000_000) };
  const packed = gzipSync(toBinary(CreateUsersRequestSchema, create(CreateUsersRequestSchema, { user })));
  const { ports, unharmed } = await start();
  for (const port of Object.values(ports)) {
    const attacker = new Http2Client(port);
    const headers = { "content-type": "application/grpc", "grpc-encoding": "gzip", "grpc-timeout": "1500m" };
    const messages = Buffer.concat(Array.from({ length: 50 }, () => message(packed, 1)));
    const all = await Promise.all(Array.from({ length: 20 }, () => attacker.call(createUsers, headers, messages)));
    for (const said of all) expect(codeOf(said), said).toBe("4");
    attacker.close();
  }
  await unharmed(300);
});
