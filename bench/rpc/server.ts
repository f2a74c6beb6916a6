import { createServer as createHttp2Server } from "node:http2";
import type { ConnectRouter } from "@connectrpc/connect";
import { orderServiceCodecs } from "@shop/generated/shop/orders/v1/orders_codec.js";
import { know } from "../../runtime/codec/known.js";
import { answer as answerRpc } from "../../runtime/rpc/answer.js";
import { listen } from "../../runtime/rpc/listen.js";
import { answer, framed, OrderService, order, path, readRequest, writeOrder } from "./order.js";

/** One server of the comparison, as a process of its own; its parent asks it for the processor time it has used. */
const starts: Readonly<Record<string, () => Promise<number>>> = {
  own: () => router("own"),
  "connect-node": () => router("node"),
  "grpc-js": grpcJs,
  "node:http2": constant,
};

async function router(transport: "own" | "node"): Promise<number> {
  know(orderServiceCodecs);
  const routes = (to: ConnectRouter) => to.service(OrderService, { getOrder: async ({ id }) => order(id) });
  return (await listen({ ...answerRpc({ transport, routes }), host: "127.0.0.1", port: 0 })).port;
}

async function grpcJs(): Promise<number> {
  const grpc = await import("@grpc/grpc-js");
  const server = new grpc.Server({ "grpc.max_concurrent_streams": 1_000 });
  const getOrder = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: readRequest,
    responseSerialize: writeOrder,
    responseDeserialize: (bytes: Buffer) => bytes,
  };
  server.addService(
    { getOrder } as never,
    {
      getOrder: (call: { request: { id: string } }, done: (error: null, value: object) => void) =>
        done(null, order(call.request.id)),
    } as never,
  );
  return new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
}

/** The same bytes for every call: the least that node:http2 can do. */
async function constant(): Promise<number> {
  const body = framed(answer);
  const server = createHttp2Server({ settings: { maxConcurrentStreams: 1_000 } });
  server.on("stream", (stream) => {
    // The load hangs up in the middle of its calls.
    stream.on("error", () => undefined);
    stream.resume().on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(body);
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
}

const start = starts[process.argv[2] ?? ""];
if (start === undefined) throw new Error(`no server ${process.argv[2]}`);
process.send?.({ port: await start() });
process.on("message", () => process.send?.(process.cpuUsage()));
process.on("disconnect", () => process.exit(0));
