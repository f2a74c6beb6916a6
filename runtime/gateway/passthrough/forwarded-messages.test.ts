import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";
import { toBinary } from "@bufbuild/protobuf";
import { GetOrderRequestSchema, OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { expect, onTestFinished, test } from "vitest";
import { message } from "../../http2/testing/peer.js";
import { createServerAdapter } from "../../server/adapter.js";
import { listen } from "../../server/listen.js";
import { startGatewayTo } from "../testing/gateway.js";

const getOrder = "/shop.orders.v1.OrderService/GetOrder";
const trackOrders = "/shop.orders.v1.OrderService/TrackOrders";

/** A call whose body is sent in parts; one that is refused takes no more of them. */
class Sending {
  readonly status: Promise<string>;
  readonly #stream: ClientHttp2Stream;

  constructor(session: ClientHttp2Session, path: string) {
    const headers = { "content-type": "application/grpc", te: "trailers" };
    this.#stream = session.request({ ":method": "POST", ":path": path, ...headers }).on("error", () => undefined);
    this.status = new Promise((resolve) => {
      const say = (fields: IncomingHttpHeaders) => {
        if (fields["grpc-status"] !== undefined) resolve(`${fields["grpc-status"]}`);
      };
      this.#stream.on("response", say).on("trailers", say).resume();
    });
  }

  /** Resolves once the receiver has taken it, or refused it. */
  send(part: Buffer): Promise<unknown> {
    return Promise.race([this.status, new Promise((resolve) => this.#stream.write(part, resolve))]);
  }

  end(part: Buffer): Promise<string> {
    this.#stream.end(part);
    return this.status;
  }
}

test("a caller who holds back more than all may does not keep others from sending, nor those who are slow", async () => {
  const service = await listen({
    ...createServerAdapter({
      routes: (router) =>
        router.service(OrderService, {
          getOrder: ({ id }) => ({ id: `${id.length}` }),
          async *trackOrders(requests) {
            for await (const { id } of requests) yield { id };
          },
        }),
    }),
    host: "127.0.0.1",
    port: 0,
  });
  const gateway = await startGatewayTo(`http://127.0.0.1:${service.port}`);
  const sessions = Array.from({ length: 3 }, () => connect(`http://127.0.0.1:${gateway.port}`));
  const [slow, attacker, other] = sessions as [ClientHttp2Session, ClientHttp2Session, ClientHttp2Session];
  onTestFinished(async () => {
    for (const session of sessions) session.destroy();
    await gateway.stop();
    await service.drain(0);
  });
  const order = message(
    toBinary(GetOrderRequestSchema, { $typeName: GetOrderRequestSchema.typeName, id: "x".repeat(50_000) }),
  );
  // The first to begin, and the last to end.
  const first = new Sending(slow, getOrder);
  await first.send(order.subarray(0, 40_000));

  const held = message(Buffer.alloc(4_000_000)).subarray(0, -1);
  const all = Array.from({ length: 10 }, () => new Sending(attacker, trackOrders));
  for (const each of all) await each.send(held);
  expect(await all[0]?.status).toBe("8");

  expect(await new Sending(other, getOrder).end(order)).toBe("0");
  expect(await first.end(order.subarray(40_000))).toBe("0");
});
