import { createServer as createHttp2Server } from "node:http2";
import { connect } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import * as grpc from "@grpc/grpc-js";
import { orderServiceCodecs } from "@shop/generated/shop/orders/v1/orders_codec.js";
import { fastify } from "fastify";
import { createServer as createNiceServer } from "nice-grpc";
import { orders } from "../../examples/shop/orders/orders.js";
import { freePort } from "../../generator/dev/ports.js";
import { know } from "../../runtime/codec/known.js";
import { createServerAdapter as answerRpc } from "../../runtime/server/adapter.js";
import { listen } from "../../runtime/server/listen.js";
import { serve } from "../../runtime/service/serve.js";
import { clients, getOrder } from "./clients.js";
import { floor } from "./floor.js";
import { answerOf, bigId, framed, OrderService, order, streamed, streamPath } from "./order.js";

/** What a server is told by its parent. */
export interface Started {
  readonly server: string;
  /** Its certificate, for TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Where the data of the shop's orders is, for `service`. */
  readonly database?: string;
  /** Where the server behind it is, which it asks for every answer. */
  readonly next?: number;
}

const { server, tls, next, database } = JSON.parse(process.argv[2] ?? "{}") as Started;
const ask = next === undefined ? undefined : clients[server]?.(next);
const one = (id: string) => (ask === undefined ? order(id) : ask(id));

/** One server of the comparison, as a process of its own; its parent asks it for the processor time it has used. */
const starts: Readonly<Record<string, () => Promise<number>>> = {
  own: () => router("native"),
  service,
  "connect-node": () => router("node"),
  "connect-fastify": connectFastify,
  "nice-grpc": niceGrpc,
  "grpc-js": grpcJs,
  "node:http2": constant,
  "node:net": () => floor(framed(answerOf("order-1"))),
};

function routes(to: ConnectRouter): void {
  to.service(OrderService, {
    getOrder: async ({ id }) => one(id) as ReturnType<typeof order>,
    async *watchOrder({ id }) {
      for (let i = 0; i < streamed; i++) yield order(id);
    },
  });
}

async function router(transport: "native" | "node"): Promise<number> {
  know(orderServiceCodecs);
  return (await listen({ ...answerRpc({ transport, routes }), tls, host: "127.0.0.1", port: 0 })).port;
}

/** The shop's orders, as they are deployed; what they call is not there, and GetOrder does not ask it. */
async function service(): Promise<number> {
  const port = await freePort();
  const nowhere = "http://127.0.0.1:1";
  Object.assign(process.env, {
    PORT: String(port),
    LOG_LEVEL: "silent",
    DRAIN_TIMEOUT_MS: "0",
    DATABASE_URL: database,
    BROKER_URL: database,
    INVENTORY_URL: nowhere,
    PAYMENTS_URL: nowhere,
  });
  void serve(orders);
  while (!(await accepts(port))) await new Promise((resolve) => setTimeout(resolve, 20));
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

async function connectFastify(): Promise<number> {
  const app = fastify({ http2: true });
  await app.register(fastifyConnectPlugin, { routes });
  await app.listen({ host: "127.0.0.1", port: 0 });
  return (app.server.address() as { port: number }).port;
}

async function niceGrpc(): Promise<number> {
  const nice = createNiceServer({ "grpc.max_concurrent_streams": 1_000 });
  nice.add({ getOrder: { ...getOrder, options: {} } }, { getOrder: async ({ id }: { id: string }) => order(id) });
  return nice.listen("127.0.0.1:0");
}

async function grpcJs(): Promise<number> {
  const made = new grpc.Server({ "grpc.max_concurrent_streams": 1_000 });
  const watchOrder = { ...getOrder, path: streamPath, responseStream: true as const };
  made.addService(
    { getOrder, watchOrder } as never,
    {
      getOrder: async (call: { request: { id: string } }, done: (error: null, value: object) => void) =>
        done(null, await one(call.request.id)),
      async watchOrder(call: grpc.ServerWritableStream<{ id: string }, object>) {
        for (let i = 0; i < streamed && !call.cancelled; i++) {
          if (!call.write(order(call.request.id))) await new Promise((resolve) => call.once("drain", resolve));
        }
        call.end();
      },
    } as never,
  );
  const pair = tls && [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }];
  const credentials = pair ? grpc.ServerCredentials.createSsl(null, pair) : grpc.ServerCredentials.createInsecure();
  return new Promise((resolve, reject) =>
    made.bindAsync("127.0.0.1:0", credentials, (error, port) => (error ? reject(error) : resolve(port))),
  );
}

/** The same bytes for every call: the least that node:http2 can do. */
async function constant(): Promise<number> {
  const small = framed(answerOf("order-1"));
  const big = framed(answerOf(bigId));
  const made = createHttp2Server({ settings: { maxConcurrentStreams: 1_000 } });
  made.on("stream", (stream) => {
    // The load hangs up in the middle of its calls.
    stream.on("error", () => undefined);
    let isBig = false;
    stream.on("data", (chunk: Buffer) => {
      isBig ||= chunk.includes(bigId);
    });
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(isBig ? big : small);
    });
  });
  return new Promise((resolve) => {
    made.listen(0, "127.0.0.1", () => resolve((made.address() as { port: number }).port));
  });
}

const start = starts[server];
if (start === undefined) throw new Error(`no server ${server}`);
process.send?.({ port: await start() });
process.on("message", () => process.send?.(process.cpuUsage()));
process.on("disconnect", () => process.exit(0));
