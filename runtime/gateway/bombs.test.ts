import type { ConnectRouter } from "@connectrpc/connect";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rpcTransports } from "../config/transport.js";
import { createServerAdapter } from "../server/adapter.js";
import { type Listener, listen } from "../server/listen.js";
import type { RunningGateway } from "./start.js";
import { bombsOf, codeOf, compressedBodies, Http2Client } from "./testing/bombs.js";
import { startGatewayTo } from "./testing/gateway.js";

const bombs = bombsOf(16 * 1024 * 1024);
const getOrder = "/shop.orders.v1.OrderService/GetOrder";
const createUsers = "/shop.users.v1.UserService/CreateUsers";
const health = "/grpc.health.v1.Health/Check";
const watch = "/grpc.health.v1.Health/Watch";

let isCalled = false;
function routes(router: ConnectRouter): void {
  router.service(OrderService, {
    getOrder: () => {
      isCalled = true;
      return {};
    },
  });
  router.service(UserService, {
    async createUsers(requests) {
      for await (const _ of requests) isCalled = true;
      return {};
    },
  });
}

describe.each(rpcTransports)("a message that unpacks to more than is read, with %s", (transport) => {
  let service: Listener;
  let gateway: RunningGateway;
  const callers: Record<string, Http2Client> = {};
  beforeAll(async () => {
    service = await listen({ ...createServerAdapter({ routes, transport }), host: "127.0.0.1", port: 0 });
    gateway = await startGatewayTo(`http://127.0.0.1:${service.port}`);
    callers.service = new Http2Client(service.port);
    callers.gateway = new Http2Client(gateway.port);
  });
  afterAll(async () => {
    for (const caller of Object.values(callers)) caller.close();
    await gateway.stop();
    await service.drain(0);
  });

  const doors = [
    { door: "a service", port: "service", unary: getOrder, stream: createUsers },
    { door: "a service behind a gateway", port: "gateway", unary: getOrder, stream: createUsers },
    { door: "a gateway's own services", port: "gateway", unary: health, stream: watch },
  ];
  describe.each(doors)("at $door", ({ port, unary, stream }) => {
    test.each(Object.keys(compressedBodies))("is refused in %s", async (protocol) => {
      isCalled = false;
      for (const bomb of bombs) {
        const { headers, body } = compressedBodies[protocol]!(bomb);
        const said = await callers[port]!.call(protocol.endsWith("stream") ? stream : unary, headers, body);
        const codes = bomb.encoding === "deflate" ? ["unimplemented", "12"] : ["resource_exhausted", "8"];
        expect(codes, said).toContain(codeOf(said));
      }
      expect(isCalled).toBe(false);
    });
  });

  test.each(["service", "gateway"])("is refused in the URL of a Connect call by GET at the %s", async (port) => {
    const message = bombs[1]!.bytes.toString("base64url");
    const path = `${getOrder}?connect=v1&encoding=json&compression=br&base64=1&message=${message}`;
    expect(codeOf(await callers[port]!.call(path, {}))).toBe("resource_exhausted");
  });

  test("is not unpacked over REST", async () => {
    for (const { encoding, bytes } of bombs) {
      const headers = { "content-type": "application/json", "content-encoding": encoding };
      expect(await callers.gateway!.call("/v1/orders", headers, bytes)).toContain('":status":415');
    }
  });
});
