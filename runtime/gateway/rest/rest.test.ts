import { EventEmitter, once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { InventoryService } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { OrderService, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BadRequestSchema } from "../../options/google/rpc/error_details_pb.js";
import { ask } from "../../testing/ask.js";
import { startTestGateway, type TestGateway } from "../testing/gateway.js";

let gateway: TestGateway;
/** Tells when a call that hangs has begun, and when it was cancelled. */
const hanging = new EventEmitter();

beforeAll(async () => {
  gateway = await startTestGateway((router) => {
    router.service(OrderService, {
      getOrder({ id }, context) {
        if (context.requestHeader.get("x-server-timing") === "1") {
          context.responseHeader.set("server-timing", "orders;dur=1");
        }
        if (id === "none") throw new ConnectError("no order none", Code.NotFound);
        if (id === "hangs") return hang(context);
        for (const [name, value] of context.requestHeader) context.responseHeader.set(`x-got-${name}`, value);
        context.responseHeader.append("set-cookie", "a=1");
        context.responseHeader.append("set-cookie", "b=2");
        context.responseHeader.set("content-language", "de");
        return { id, state: OrderState.CONFIRMED, totalCents: 9007199254740993n };
      },
      placeOrder({ requestId, lines }) {
        if (lines.length === 0) {
          const value = { fieldViolations: [{ field: "lines", description: "must not be empty" }] };
          throw new ConnectError("lines: must not be empty", Code.InvalidArgument, undefined, [
            { desc: BadRequestSchema, value },
          ]);
        }
        return { id: requestId, lines };
      },
      listOrders: ({ pageSize, pageToken }) => ({ nextPageToken: `${pageSize} ${pageToken}` }),
      cancelOrder: ({ id }) => ({ id, state: OrderState.CANCELLED }),
      async *watchOrder({ id }, context) {
        if (id === "none") throw new ConnectError("no order none", Code.NotFound);
        yield { id };
        if (id === "breaks") throw new ConnectError("the order is lost", Code.DataLoss);
        if (id === "hangs") await hang(context);
        yield { id, state: OrderState.CONFIRMED };
      },
    });
    router.service(UserService, {
      async *listUsers() {
        for (let i = 0; i < 3; i++) yield { id: `${i}` };
      },
    });
    router.service(InventoryService, {
      updateProduct: ({ product, updateMask }) => ({ ...product!, tags: updateMask!.paths }),
    });
  });
});
afterAll(() => gateway.stop());

async function hang(context: HandlerContext): Promise<never> {
  hanging.emit("begun");
  await once(context.signal, "abort");
  hanging.emit("cancelled");
  throw new ConnectError("cancelled", Code.Canceled);
}

async function call(path: string, init?: RequestInit) {
  const answer = await fetch(gateway.url + path, init);
  const text = await answer.text();
  const type = answer.headers.get("content-type")?.split(";")[0];
  const body = type === "application/json" && text !== "" ? JSON.parse(text) : text;
  return { status: answer.status, type, body, headers: answer.headers };
}

const post = (body: string | Uint8Array<ArrayBuffer>, contentType = "application/json"): RequestInit => ({
  method: "POST",
  headers: { "content-type": contentType },
  body,
});

describe("a unary call", () => {
  it("answers in ProtoJSON, defaults included", async () => {
    const { status, type, body } = await call("/v1/orders/1");
    expect({ status, type, body }).toEqual({
      status: 200,
      type: "application/json",
      body: {
        id: "1",
        customerId: "",
        state: "ORDER_STATE_CONFIRMED",
        lines: [],
        totalCents: "9007199254740993",
        reservationId: "",
        paymentId: "",
        cancelReason: "",
      },
    });
  });

  it("takes a body, query parameters, a custom verb, and PATCH", async () => {
    const order = { requestId: "r1", lines: [{ product_id: "p", quantity: 2 }] };
    expect((await call("/v1/orders", post(JSON.stringify(order)))).body).toMatchObject({
      id: "r1",
      lines: [{ productId: "p", quantity: 2, unitPriceCents: "0" }],
    });
    expect((await call("/v1/orders?page_size=7&pageToken=a%2Fb")).body).toEqual({
      orders: [],
      nextPageToken: "7 a/b",
    });
    expect((await call("/v1/orders/a%2Fb:cancel", { method: "POST" })).body).toMatchObject({ id: "a/b" });
    const patch = { ...post('{"name": "n", "price_cents": "5"}'), method: "PATCH" };
    expect((await call("/v1/products/p1", patch)).body).toMatchObject({
      id: "p1",
      name: "n",
      priceCents: "5",
      tags: ["name", "price_cents"],
    });
  });

  it("takes ids of any length", async () => {
    const id = "x".repeat(1000);
    expect((await call(`/v1/orders/${id}`)).body).toMatchObject({ id });
  });

  it("answers HEAD as GET without the body", async () => {
    const { status, type, headers } = await call("/v1/orders/1", { method: "HEAD" });
    expect({ status, type }).toEqual({ status: 200, type: "application/json" });
    expect(Number(headers.get("content-length"))).toBeGreaterThan(0);
  });

  it("carries metadata both ways, but not what belongs to the HTTP exchange", async () => {
    const headers = {
      "x-request-id": "r",
      authorization: "Bearer t",
      "accept-language": "de-AT, de;q=0.5",
      "user-agent": "ua",
      cookie: "a=1; b=2",
      origin: "https://shop.example",
      "x-tenant": ["acme", "other"],
      "x-key-bin": "AQI=",
    };
    const reserved = {
      accept: "application/json",
      "accept-encoding": "gzip",
      connection: "keep-alive, x-hop",
      "x-hop": "1",
      te: "trailers",
      expect: "100-continue",
      "content-language": "fr",
      "if-none-match": "*",
      "grpc-timeout": "1n",
      "grpc-encoding": "br",
      "connect-timeout-ms": "1",
      "proxy-authorization": "secret",
    };
    const { status, headers: got } = await ask(gateway.url, {
      version: "1.1",
      target: "/v1/orders/1",
      headers: { ...headers, ...reserved },
    });
    expect(status).toBe(200);
    for (const [name, value] of Object.entries(headers)) expect(got[`x-got-${name}`]).toBe([value].flat().join(", "));
    const own = { te: "trailers", "grpc-timeout": expect.stringMatching(/^[1-9]\d*m$/) };
    for (const name of Object.keys(reserved)) {
      const expected = name in own ? own[name as keyof typeof own] : undefined;
      if (name !== "accept-encoding") expect(got[`x-got-${name}`], name).toEqual(expected);
    }
    expect(got["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(got["content-language"]).toBe("de");
    expect(Object.keys(got).filter((name) => name.startsWith("grpc-"))).toEqual([]);
  });

  it("leaves out what a browser sends by itself, if gRPC cannot carry it", async () => {
    const headers = { cookie: "city=K\u00f6ln", "x-tenant": "acme" };
    const { status, headers: got } = await ask(gateway.url, { version: "1.1", target: "/v1/orders/1", headers });
    expect([status, got["x-got-cookie"], got["x-got-x-tenant"]]).toEqual([200, undefined, "acme"]);
  });

  it.each([
    ["x-tenant", "t\u00fcr", "must be printable ASCII"],
    ["x-key-bin", "not base64!", "must be base64"],
  ])("refuses metadata that gRPC cannot carry: %s", async (name, value, message) => {
    const question = { version: "1.1", target: "/v1/orders/1", headers: { [name]: value } } as const;
    const { status, body } = await ask(gateway.url, question);
    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining(`the header ${name} ${message}`),
    });
  });

  it("says how long it took, if asked", async () => {
    expect((await call("/v1/orders/1")).headers.has("server-timing")).toBe(false);
    const { headers } = await call("/v1/orders/1", { headers: { "x-server-timing": "1" } });
    expect(headers.get("server-timing")).toMatch(/^gateway;dur=[\d.]+, orders;dur=1$/);
    const refused = await call("/v1/orders/none", { headers: { "x-server-timing": "1" } });
    expect(refused.headers.get("server-timing")).toMatch(/^gateway;desc="failed";dur=[\d.]+, orders;dur=1$/);
  });

  it("works over HTTP/2", async () => {
    const session = connectHttp2(gateway.url);
    const stream = session.request({ ":path": "/v1/orders/1" });
    const [headers] = await once(stream, "response");
    expect(headers).toMatchObject({ ":status": 200 });
    const text = (await stream.setEncoding("utf8").toArray()).join("");
    expect(JSON.parse(text)).toMatchObject({ id: "1" });
    session.close();
  });
});

describe("bad input", () => {
  const bigBody = `{"requestId": "${"x".repeat(4 * 1024 * 1024)}"}`;
  it.each<[string, RequestInit | undefined, number, Code, string]>([
    ["/v1/nothing", undefined, 404, Code.NotFound, "nothing is found at /v1/nothing"],
    ["/v1/orders/", undefined, 404, Code.NotFound, "nothing is found at /v1/orders/"],
    ["/", undefined, 404, Code.NotFound, "nothing is found at /"],
    [
      "/v1/orders",
      { method: "DELETE" },
      405,
      Code.Unimplemented,
      "/v1/orders does not answer DELETE, but GET, HEAD, POST",
    ],
    ["/v1/orders/%zz", undefined, 400, Code.InvalidArgument, "the percent-encoding of the URL is broken"],
    ["/v1/orders/%ff", undefined, 400, Code.InvalidArgument, "the percent-encoding of the URL is broken"],
    ["/v1/orders?page_token=%ff", undefined, 400, Code.InvalidArgument, "the percent-encoding of the URL is broken"],
    [
      "/v1/orders?page_size=many&sise=1",
      undefined,
      400,
      Code.InvalidArgument,
      'page_size: "many" is no whole number (int32); sise: unknown query parameter: shop.orders.v1.ListOrdersRequest has no such field',
    ],
    ["/v1/orders", post("{"), 400, Code.InvalidArgument, "the JSON is broken at character 2: it ends too early"],
    [
      "/v1/orders",
      post('{"sise": 1}'),
      400,
      Code.InvalidArgument,
      'there is no field "sise" in shop.orders.v1.PlaceOrderRequest',
    ],
    [
      "/v1/orders",
      post(Buffer.from('{"requestId": "\xff"}', "latin1")),
      400,
      Code.InvalidArgument,
      "the JSON is not well-formed UTF-8",
    ],
    ["/v1/orders", post("\ufeff\ufeff{}"), 400, Code.InvalidArgument, "the JSON is broken at character 1"],
    // The mark is no part of the JSON: what is wrong is what it says.
    ["/v1/orders", post("\ufeff{}"), 400, Code.InvalidArgument, "lines: must not be empty"],
    [
      "/v1/orders",
      post("a=b", "application/x-www-form-urlencoded"),
      415,
      Code.InvalidArgument,
      "the body must be JSON: send it with Content-Type: application/json",
    ],
    ["/v1/orders", post(bigBody), 413, Code.ResourceExhausted, "the body is larger than 4194304 bytes"],
    ["/v1/orders/none", undefined, 404, Code.NotFound, "no order none"],
    ["/v1/orders/none:watch", undefined, 404, Code.NotFound, "no order none"],
  ])("%s is answered with what is wrong", async (path, init, status, code, message) => {
    const { status: got, type, body } = await call(path, init);
    expect({ got, type, code: body.code }).toEqual({ got: status, type: "application/json", code });
    expect(body.message).toContain(message);
    expect(body.details).toBeInstanceOf(Array);
  });

  it("names the verbs that a path answers", async () => {
    expect((await call("/v1/orders", { method: "PUT" })).headers.get("allow")).toBe("GET, HEAD, POST");
  });

  it("prints the details that a service gave", async () => {
    expect((await call("/v1/orders", post("{}"))).body).toEqual({
      code: Code.InvalidArgument,
      message: "lines: must not be empty",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.BadRequest",
          fieldViolations: [{ field: "lines", description: "must not be empty" }],
        },
      ],
    });
  });

  it("refuses a body of unknown length that grows too large", async () => {
    const chunk = new Uint8Array(1024 * 1024).fill(32);
    const body = ReadableStream.from(Array.from({ length: 5 }, () => chunk));
    const init = { ...post(""), body, duplex: "half" } as RequestInit;
    expect(await call("/v1/orders", init)).toMatchObject({ status: 413, body: { code: Code.ResourceExhausted } });
  });
});

describe("a server-streaming call", () => {
  const lines = (text: string) =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));

  it("answers a line for each message", async () => {
    const { status, type, body } = await call("/v1/users");
    expect({ status, type }).toEqual({ status: 200, type: "application/x-ndjson" });
    expect(lines(body)).toMatchObject([{ id: "0" }, { id: "1" }, { id: "2" }]);
  });

  it("says a late error in the last line", async () => {
    const { status, body } = await call("/v1/orders/breaks:watch");
    expect(status).toBe(200);
    expect(lines(body)).toMatchObject([
      { id: "breaks" },
      { error: { code: Code.DataLoss, message: "the order is lost", details: [] } },
    ]);
  });
});

describe("a caller that leaves", () => {
  it.each(["/v1/orders/hangs", "/v1/orders/hangs:watch"])("ends the call of %s", async (path) => {
    const begun = once(hanging, "begun");
    const cancelled = once(hanging, "cancelled");
    const request = httpRequest(gateway.url + path).on("error", () => undefined);
    request.end();
    await begun;
    request.destroy();
    await cancelled;
  });
});
