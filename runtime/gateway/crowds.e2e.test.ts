import { gzipSync } from "node:zlib";
import { orderServiceCodecs } from "@shop/generated/shop/orders/v1/orders_codec.js";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { expect, onTestFinished, test } from "vitest";
import { innocent } from "../../scripts/testing/innocent.js";
import { know } from "../codec/known.js";
import { createServerAdapter } from "../server/adapter.js";
import { listen } from "../server/listen.js";
import { codeOf, compressedBodies, Http2Client } from "./testing/bombs.js";
import { startGatewayTo } from "./testing/gateway.js";

const MIB = 2 ** 20;
const placeOrder = "/shop.orders.v1.OrderService/PlaceOrder";
/** Its messages are read by their descriptors here. */
const getUser = "/shop.users.v1.UserService/GetUser";

/** 4 MiB, the most that is read, of these bytes again and again, packed. */
function crowd(hex: string): Buffer {
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const all = Buffer.alloc(4 * MIB - ((4 * MIB) % bytes.length), bytes);
  return gzipSync(all, { level: 1 });
}

test("messages that are millions of fields harm nobody, at any door and over any protocol", async () => {
  know(orderServiceCodecs);
  const service = await listen({
    ...createServerAdapter({
      routes: (router) => {
        router.service(OrderService, { placeOrder: () => ({}), getOrder: ({ id }) => ({ id }) });
        router.service(UserService, { getUser: () => ({}) });
      },
    }),
    host: "127.0.0.1",
    port: 0,
  });
  const gateway = await startGatewayTo(`http://127.0.0.1:${service.port}`);
  const caller = new Http2Client(gateway.port);
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 5);
  onTestFinished(async () => {
    clearInterval(timer);
    caller.close();
    await gateway.stop();
    await service.drain(0);
  });
  const fields = [
    ["unknown numbers", crowd("f8 3e 01"), "0"],
    [
      "unknown fields of several types, their tags longer than they need to be",
      crowd("f8 be 00 01 ed 3e 01020304 fa 3e 00"),
      "0",
    ],
    ["known numbers of another wire type", crowd("08 01"), "0"],
    ["unknown groups in one another", crowd("f3 3e"), "3"],
    ["empty messages", crowd("1a 00"), "3"],
  ] as const;
  const load = innocent(async () => {
    const body = Buffer.from('{"id":"a"}');
    const said = await caller.call(
      "/shop.orders.v1.OrderService/GetOrder",
      { "content-type": "application/json" },
      body,
    );
    if (!said.includes('"id":"a"')) throw new Error(said);
  });
  for (const port of [service.port, gateway.port]) {
    const attacker = new Http2Client(port);
    onTestFinished(() => attacker.close());
    for (const [name, bytes, code] of fields) {
      for (const protocol of ["gRPC", "gRPC-Web", "Connect"]) {
        for (const path of name === "empty messages" ? [placeOrder] : [placeOrder, getUser]) {
          const { headers, body } = compressedBodies[protocol]!({ encoding: "gzip", bytes });
          const said = await attacker.call(path, headers, body);
          expect(codeOf(said) ?? "0", `${name}, ${protocol}: ${said.slice(0, 300)}`).toMatch(
            code === "0" ? /^0$/ : /^(3|invalid_argument)$/,
          );
        }
      }
    }
  }
  const { failures, calls, p99, max } = await load.stop();
  console.log({ calls, p99, max, rss: (most - before) / MIB });
  expect(Object.fromEntries(failures)).toEqual({});
  expect(p99).toBeLessThan(200);
  expect((most - before) / MIB).toBeLessThan(400);
});
