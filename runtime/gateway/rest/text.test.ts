import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { orderServiceCodecs } from "@shop/generated/shop/orders/v1/orders_codec.js";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { describe, expect, onTestFinished, test } from "vitest";
import { know } from "../../codec/known.js";
import { rpcTransports } from "../../config/transport.js";
import { createServerAdapter } from "../../server/adapter.js";
import { listen } from "../../server/listen.js";
import { startGatewayTo } from "../testing/gateway.js";

describe.each(rpcTransports)("over REST to a service with %s", (transport) => {
  test("text stays as it is, and what is none is told", async () => {
    know(orderServiceCodecs);
    const routes = (router: ConnectRouter) =>
      router.service(OrderService, {
        getOrder({ id }) {
          if (id === "none") throw new ConnectError("\ufeffno order \ud83d", Code.NotFound);
          return { id, lines: [{ productId: id === "half" ? "cut \ud83d" : id }] };
        },
      });
    const service = await listen({ ...createServerAdapter({ routes, transport }), host: "127.0.0.1", port: 0 });
    const gateway = await startGatewayTo(`http://127.0.0.1:${service.port}`);
    onTestFinished(async () => {
      await gateway.stop();
      await service.drain(0);
    });
    const get = async (id: string) => {
      const response = await fetch(`http://127.0.0.1:${gateway.port}/v1/orders/${encodeURIComponent(id)}`);
      return { status: response.status, body: JSON.parse(Buffer.from(await response.arrayBuffer()).toString()) };
    };
    expect(await get("\ufeffa")).toMatchObject({
      status: 200,
      body: { id: "\ufeffa", lines: [{ productId: "\ufeffa" }] },
    });
    expect(await get("half")).toMatchObject({
      status: 500,
      body: { code: Code.Internal, message: expect.stringContaining("Order.lines[0].product_id has a lone surrogate") },
    });
    expect(await get("none")).toMatchObject({ status: 404, body: { message: "\ufeffno order \ufffd" } });
  });
});
