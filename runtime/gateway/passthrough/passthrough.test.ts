import { EventEmitter, once } from "node:events";
import { request as httpRequest } from "node:http";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { OrderService, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BadRequestSchema } from "../../options/google/rpc/error_details_pb.js";
import { startService, startTestGateway, type TestGateway } from "../testing/gateway.js";

let gateway: TestGateway;
/** Tells what a handler that hangs has come to. */
const hanging = new EventEmitter();

beforeAll(async () => {
  gateway = await startTestGateway((router) => {
    router.service(OrderService, {
      async getOrder({ id }, context) {
        if (id === "none") {
          const value = { fieldViolations: [{ field: "id", description: "unknown ü" }] };
          throw new ConnectError("no order ü", Code.NotFound, { "x-error": "yes" }, [
            { desc: BadRequestSchema, value },
          ]);
        }
        context.responseHeader.set("x-header", context.requestHeader.get("x-asked") ?? "");
        context.responseHeader.set("x-timeout", `${context.timeoutMs()}`);
        context.responseTrailer.set("x-trailer", "t");
        return { id, totalCents: 5n };
      },
      async getReceipt(_, context) {
        await once(context.signal, "abort");
        return {};
      },
      async *watchOrder({ id }, context) {
        if (id === "none") throw new ConnectError("no order none", Code.NotFound);
        if (id === "big") for (let i = 0; i < 200; i++) yield { id: "x".repeat(50_000) };
        if (id === "huge") {
          for (let i = 0; i < 24; i++) yield { id: "x".repeat(1_000_000) };
          hanging.emit("all sent");
        }
        yield { id };
        if (id !== "hangs") return;
        hanging.emit("begun");
        await once(context.signal, "abort");
        hanging.emit("cancelled");
      },
      async *trackOrders(requests) {
        for await (const { id } of requests) yield { id, state: OrderState.CONFIRMED };
      },
    });
    router.service(UserService, {
      async createUsers(requests) {
        const users = [];
        for await (const { user } of requests) users.push(user!);
        return { users };
      },
    });
  });
});
afterAll(() => gateway.stop());

const kinds: [string, (baseUrl: string) => Transport][] = [
  ["gRPC, HTTP/2", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web, HTTP/2", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
  ["gRPC-Web, HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect, HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["Connect, HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false })],
  ["Connect by GET", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true })],
];

describe.each(kinds)("%s", (kind, transportTo) => {
  let orders: Client<typeof OrderService>;
  let users: Client<typeof UserService>;
  beforeEach(() => {
    orders = createClient(OrderService, transportTo(gateway.url));
    users = createClient(UserService, transportTo(gateway.url));
  });

  it("passes a unary call with its headers, trailers and the contract's deadline", async () => {
    const metadata: Record<string, string | null> = {};
    const order = await orders.getOrder(
      { id: "1" },
      {
        headers: { "x-asked": "a" },
        onHeader: (header) => Object.assign(metadata, Object.fromEntries(header)),
        onTrailer: (trailer) => Object.assign(metadata, Object.fromEntries(trailer)),
      },
    );
    expect(order).toMatchObject({ id: "1", totalCents: 5n });
    expect(metadata).toMatchObject({ "x-header": "a", "x-trailer": "t" });
    expect(Number(metadata["x-timeout"])).toBeGreaterThan(0);
    expect(Number(metadata["x-timeout"])).toBeLessThanOrEqual(10_000);
  });

  it("passes an error with its details", async () => {
    const error = ConnectError.from(await orders.getOrder({ id: "none" }).catch((thrown) => thrown));
    expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "no order ü" });
    expect(error.metadata.get("x-error")).toBe("yes");
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.description).toBe("unknown ü");
  });

  it("passes server streaming, and an error in place of it", async () => {
    const ids: string[] = [];
    for await (const { id } of orders.watchOrder({ id: "1" })) ids.push(id);
    expect(ids).toEqual(["1"]);
    const refused = (async () => {
      for await (const _ of orders.watchOrder({ id: "none" }));
    })();
    await expect(refused).rejects.toMatchObject({ code: Code.NotFound });
  });

  it("passes client streaming", async () => {
    async function* requests() {
      for (const id of ["a", "b"]) yield { user: { id } };
    }
    expect((await users.createUsers(requests())).users).toMatchObject([{ id: "a" }, { id: "b" }]);
  });

  it.skipIf(kind.includes("1.1") || kind.includes("GET"))("passes both directions at once", async () => {
    const answered = new EventEmitter();
    const seen: string[] = [];
    async function* requests() {
      for (const id of ["a", "b", "c"]) {
        yield { id };
        // Asks on only when the answer has come: neither direction waits for the other's end.
        await once(answered, id);
      }
    }
    for await (const { id } of orders.trackOrders(requests())) {
      seen.push(id);
      setImmediate(() => answered.emit(id));
    }
    expect(seen).toEqual(["a", "b", "c"]);
  });

  it("passes a large answer whole", async () => {
    let bytes = 0;
    for await (const { id } of orders.watchOrder({ id: "big" })) bytes += id.length;
    expect(bytes).toBe(200 * 50_000 + 3);
  });

  // One of each way of reading from the socket; the protocol makes no difference.
  const slowly = it.skipIf(!["gRPC, HTTP/2", "gRPC-Web, HTTP/1.1"].includes(kind));
  slowly("does not read on while the caller does not", async () => {
    const answers = orders.watchOrder({ id: "huge" })[Symbol.asyncIterator]();
    await answers.next();
    const sent = once(hanging, "all sent").then(() => "all sent");
    const waited = new Promise((resolve) => setTimeout(resolve, 200, "still waiting"));
    expect(await Promise.race([sent, waited])).toBe("still waiting");
    for (let next = await answers.next(); !next.done; next = await answers.next());
    expect(await sent).toBe("all sent");
  });

  it("answers in the caller's protocol when the contract's deadline passes", async () => {
    await expect(orders.getReceipt({ id: "1" })).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  });

  it("tells the service that the caller has left", async () => {
    const begun = once(hanging, "begun");
    const cancelled = once(hanging, "cancelled");
    const leave = new AbortController();
    const call = (async () => {
      for await (const _ of orders.watchOrder({ id: "hangs" }, { signal: leave.signal }));
    })();
    const ended = expect(call).rejects.toMatchObject({ code: Code.Canceled });
    await begun;
    leave.abort();
    await cancelled;
    await ended;
  });

  it("says UNAVAILABLE when the service dies in the middle, or is not there, and finds it again", async () => {
    const routes = gateway.serviceRoutes;
    const call = (async () => {
      for await (const _ of orders.watchOrder({ id: "hangs" }));
    })();
    await once(hanging, "begun");
    gateway.service.kill();
    await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
    await expect(orders.getOrder({ id: "1" })).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: "shop.orders.v1.OrderService cannot be reached",
    });
    const refused = (async () => {
      for await (const _ of orders.watchOrder({ id: "1" }));
    })();
    await expect(refused).rejects.toMatchObject({ code: Code.Unavailable });
    gateway.service = await startService(routes, gateway.service.port);
    expect(await orders.getOrder({ id: "1" })).toMatchObject({ id: "1" });
  });
});

it("passes trailers on HTTP/1.1 as well", async () => {
  const request = httpRequest(`${gateway.url}/shop.orders.v1.OrderService/GetOrder`, {
    method: "POST",
    headers: { "content-type": "application/grpc+json" },
  });
  request.end(Buffer.concat([Buffer.from([0, 0, 0, 0, 10]), Buffer.from('{"id":"1"}')]));
  const [response] = await once(request, "response");
  const chunks = await response.toArray();
  expect(Buffer.concat(chunks).subarray(5).toString()).toContain('"id":"1"');
  expect(response.trailers).toMatchObject({ "grpc-status": "0", "x-trailer": "t" });
});

it("adds its own time to the service's, if asked", async () => {
  const answer = await fetch(`${gateway.url}/shop.orders.v1.OrderService/GetOrder`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-server-timing": "1" },
    body: '{"id": "1"}',
  });
  expect(answer.headers.get("server-timing")).toMatch(/^gateway;dur=[\d.]+$/);
});

it("lets pages from anywhere call, and read what they need", async () => {
  const url = `${gateway.url}/shop.orders.v1.OrderService/GetOrder`;
  const asked = await fetch(url, {
    method: "OPTIONS",
    headers: {
      origin: "https://example.com",
      "access-control-request-method": "POST",
      "access-control-request-headers": "x-grpc-web,content-type",
    },
  });
  expect(asked.status).toBe(204);
  expect(asked.headers.get("access-control-allow-headers")).toBe("x-grpc-web,content-type");
  const answer = await fetch(url, {
    method: "POST",
    headers: { origin: "https://example.com", "content-type": "application/json" },
    body: '{"id": "none"}',
  });
  expect(answer.status).toBe(404);
  expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  expect(answer.headers.get("access-control-expose-headers")).toContain("Grpc-Status, Grpc-Message");
});

it("leaves methods that only the service knows to the service", async () => {
  const answer = await fetch(`${gateway.url}/shop.orders.v1.OrderService/Nothing`, {
    method: "POST",
    headers: { "content-type": "application/proto" },
  });
  expect(answer.status).toBe(501);
  expect(await answer.json()).toEqual({
    code: "unimplemented",
    message: "/shop.orders.v1.OrderService/Nothing is no method of shop.orders.v1.OrderService",
  });
});
