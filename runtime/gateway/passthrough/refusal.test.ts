import { EventEmitter, once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type ClientHttp2Stream, connect, createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningGateway } from "../start.js";
import { startGatewayTo } from "../testing/gateway.js";

const path = "/shop.orders.v1.OrderService/GetOrder";

/** Sends one request over HTTP/2, and collects everything that comes back. */
async function ask(gateway: RunningGateway, headers: Record<string, string>) {
  const session = connect(`http://127.0.0.1:${gateway.port}`);
  const stream: ClientHttp2Stream = session.request({ ":method": "POST", ":path": path, ...headers });
  stream.end();
  let trailers = {};
  stream.once("trailers", (received) => {
    trailers = received;
  });
  const [answer, flags] = await once(stream, "response");
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => undefined);
  await new Promise((resolve) => stream.once("close", resolve));
  session.destroy();
  return {
    headers: answer,
    trailers,
    body: Buffer.concat(chunks),
    endedAtOnce: (flags & 1) === 1,
    reset: stream.rstCode,
  };
}

const unreachable = { reason: "SERVICE_UNREACHABLE", domain: "protoscaffold" };

describe("a service that is not there", () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    const server = createHttpServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    gateway = await startGatewayTo(`http://127.0.0.1:${port}`);
  });
  afterAll(() => gateway.stop());

  it.each(["application/grpc", "application/grpc+proto", "application/grpc-web+proto"])(
    "is a block of headers for %s",
    async (contentType) => {
      const { headers, endedAtOnce } = await ask(gateway, { "content-type": contentType });
      expect(headers).toMatchObject({
        ":status": 200,
        "content-type": contentType,
        "grpc-status": "14",
        "grpc-message": "shop.orders.v1.OrderService%20cannot%20be%20reached",
        "access-control-allow-origin": "*",
      });
      expect(endedAtOnce).toBe(true);
    },
  );

  it("is an end-of-stream frame for a Connect stream", async () => {
    const { headers, body } = await ask(gateway, { "content-type": "application/connect+json" });
    expect(headers).toMatchObject({ ":status": 200, "content-type": "application/connect+json" });
    expect(body[0]).toBe(2);
    expect(JSON.parse(body.subarray(5).toString())).toEqual({
      error: {
        code: "unavailable",
        message: "shop.orders.v1.OrderService cannot be reached",
        details: [expect.objectContaining({ debug: unreachable })],
      },
    });
  });

  it.each(["application/json", "application/proto"])("is JSON with an HTTP status for %s", async (contentType) => {
    const { headers, body } = await ask(gateway, { "content-type": contentType });
    expect(headers).toMatchObject({ ":status": 503, "content-type": "application/json" });
    expect(JSON.parse(body.toString())).toEqual({
      code: "unavailable",
      message: "shop.orders.v1.OrderService cannot be reached",
      details: [expect.objectContaining({ debug: unreachable })],
    });
  });

  it("is a google.rpc.Status for REST", async () => {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/v1/orders/1`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({
      code: 14,
      message: "shop.orders.v1.OrderService cannot be reached",
      details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", ...unreachable }],
    });
  });
});

describe("a service that answers in its own way", () => {
  /** Gets each stream that reaches the service. */
  const service = new EventEmitter<{ stream: [ServerHttp2Stream, Record<string, string>] }>();
  let server: Http2Server;
  let gateway: RunningGateway;
  const sockets: Socket[] = [];
  beforeAll(async () => {
    server = createServer().on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      service.emit("stream", stream, headers as Record<string, string>);
    });
    server.on("connection", (socket: Socket) => sockets.push(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    gateway = await startGatewayTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterAll(async () => {
    await gateway.stop();
    server.close();
  });

  const grpc = { "content-type": "application/grpc" };
  const grpcWeb = { "content-type": "application/grpc-web+proto" };

  it("is passed on in one block of headers, if it answered so", async () => {
    service.once("stream", (stream) =>
      stream.respond({ ":status": 200, ...grpc, "grpc-status": "5" }, { endStream: true }),
    );
    const { headers, endedAtOnce } = await ask(gateway, grpc);
    expect(headers).toMatchObject({ ":status": 200, "grpc-status": "5" });
    expect(endedAtOnce).toBe(true);
  });

  it("gets what the caller sent, less what belongs to the connection, and a deadline", async () => {
    const reached = once(service, "stream");
    const asked = ask(gateway, { ...grpc, te: "trailers", "x-bin": "a", "accept-encoding": "gzip" });
    const [stream, headers] = await reached;
    stream.respond({ ":status": 200, "grpc-status": "0" }, { endStream: true });
    await asked;
    expect(headers).toMatchObject({
      ":path": path,
      te: "trailers",
      "x-bin": "a",
      "accept-encoding": "gzip",
      "grpc-timeout": "10000m",
    });
  });

  it("keeps the caller's own deadline", async () => {
    const reached = once(service, "stream");
    const asked = ask(gateway, { ...grpc, "grpc-timeout": "50m" });
    const [, headers] = await reached;
    expect(headers["grpc-timeout"]).toBe("50m");
    expect((await asked).headers).toMatchObject({
      "grpc-status": "4",
      "grpc-message": "the%20deadline%20of%2050%20ms%20has%20passed",
    });
  });

  it("ends in trailers, or in a last frame, when it breaks off between messages", async () => {
    const breakOff = (stream: ServerHttp2Stream) => {
      stream.respond({ ":status": 200 });
      stream.write(Buffer.from([0, 0, 0, 0, 1, 7]), () => setImmediate(() => stream.destroy(new Error())));
    };
    service.once("stream", breakOff);
    const asGrpc = await ask(gateway, grpc);
    expect(asGrpc.body).toEqual(Buffer.from([0, 0, 0, 0, 1, 7]));
    expect(asGrpc.trailers).toMatchObject({ "grpc-status": "13" });

    service.once("stream", breakOff);
    const { body } = await ask(gateway, grpcWeb);
    expect(body.subarray(0, 7)).toEqual(Buffer.from([0, 0, 0, 0, 1, 7, 0x80]));
    expect(body.subarray(11).toString()).toContain("grpc-status: 13\r\n");
  });

  it("is broken off when it breaks off within a message, and nothing else can be said", async () => {
    service.once("stream", (stream) => {
      stream.respond({ ":status": 200 });
      stream.write(Buffer.from([0, 0, 0, 0, 9, 7]), () => setImmediate(() => stream.destroy(new Error())));
    });
    const { body, reset } = await ask(gateway, grpcWeb);
    expect(body).toEqual(Buffer.from([0, 0, 0, 0, 9, 7]));
    expect(reset).toBe(2);
  });

  it("is UNAVAILABLE when its connection is lost", async () => {
    service.once("stream", () => sockets.at(-1)!.destroy());
    expect((await ask(gateway, grpc)).headers).toMatchObject({
      "grpc-status": "14",
      "grpc-message": "the%20connection%20to%20shop.orders.v1.OrderService%20was%20lost",
    });
  });
});
