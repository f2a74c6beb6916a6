import { connect } from "node:net";
import { Code } from "@connectrpc/connect";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../testing/ask.js";
import { startTestGateway, type TestGateway } from "./testing/gateway.js";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway(
    (router) =>
      router.service(OrderService, {
        getOrder({ id }) {
          return { id };
        },
        listOrders: ({ pageToken }) => ({ nextPageToken: pageToken }),
      }),
    { web: new URL("./testing/web/", import.meta.url) },
  );
});
afterAll(() => gateway.stop());

interface Parsed {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Sends bytes, and returns what comes until the gateway hangs up. */
async function send(text: string): Promise<Parsed> {
  const socket = connect(gateway.port, "127.0.0.1").on("error", () => undefined);
  socket.write(text);
  const [head = "", ...rest] = (await socket.setEncoding("utf8").toArray()).join("").split("\r\n\r\n");
  const [status = "", ...lines] = head.split("\r\n");
  const fields = lines.map((line) => line.split(/: (.*)/s).slice(0, 2));
  const headers = Object.fromEntries(fields.map(([name, value]) => [name!.toLowerCase(), value]));
  return { status: Number(status.split(" ")[1]), headers, body: rest.join("\r\n\r\n") };
}

const request = (start: string, more = "") =>
  send(`${start} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${more}\r\n`);

const errorInfo = (reason: string) => {
  return { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "protoscaffold" };
};

/** A google.rpc.Status, and nothing beside it. What is no request of HTTP has no reason. */
function expectStatus({ headers, body }: Pick<Parsed, "headers" | "body">, code: Code, message: string, reason = "") {
  expect(headers["content-type"]).toMatch(/^application\/json(;|$)/);
  const details = reason === "" ? [] : [errorInfo(reason)];
  expect(JSON.parse(body)).toEqual({ code, message: expect.stringContaining(message), details });
}

describe("a request target", () => {
  test.each([
    ["GET http://localhost/v1/orders/a%2Fb", { id: "a/b" }],
    ["GET HTTP://LOCALHOST:8080/v1/orders?page_token=http://x/", { nextPageToken: "http://x/" }],
    ["GET https://localhost/healthz", { status: "SERVING" }],
    ["GET http://localhost?page_token=a", undefined],
    ["GET http://localhost", undefined],
    ["HEAD http://localhost/v1/orders/1", undefined],
  ])("may be a URL: %s", async (start, expected) => {
    const { status, body } = await request(start);
    expect(status).toBe(200);
    if (expected !== undefined) expect(JSON.parse(body)).toMatchObject(expected);
  });

  test("may be a URL where a call is passed on", async () => {
    const path = "/shop.orders.v1.OrderService/GetOrder";
    const { status, body } = await request(
      `POST http://localhost${path}`,
      "content-type: application/json\r\ncontent-length: 10\r\n\r\n" + '{"id":"a"}',
    );
    expect([status, JSON.parse(body)]).toEqual([200, { id: "a" }]);
  });

  test("is * for OPTIONS, which a URL without a path means, too", async () => {
    for (const target of ["*", "http://localhost"]) expect((await request(`OPTIONS ${target}`)).status).toBe(204);
  });

  test.each([
    ["GET *", "only OPTIONS can ask for *"],
    ["GET /v1/orders/1#top", "must not have a fragment"],
    ["GET http:///v1/orders", "names no host"],
    ["GET http://me@localhost/v1/orders", "must not name a user"],
    ["GET ftp://localhost/v1/orders", "must be a path, or an http:// or https:// URL"],
    ["GET orders", "this is no request of HTTP/1.1"],
    ["GET /v1/orders/%zz", "percent-encoding"],
    ["PROPFIND /v1/orders/%ff", "percent-encoding"],
    ["GET /healthz%", "percent-encoding"],
    ["GET /shop.orders.v1.OrderService/%c3", "percent-encoding"],
  ])("is refused if it is none: %s", async (start, message) => {
    const refused = await request(start);
    expect(refused.status).toBe(400);
    expectStatus(refused, Code.InvalidArgument, message);
  });
});

test.each(["gzip, chunked", "identity, chunked", "x, CHUNKED"])(
  "a transfer coding that is not known is refused: %s",
  async (coding) => {
    const refused = await request(
      "POST /v1/orders",
      `content-type: application/json\r\ntransfer-encoding: ${coding}\r\n\r\n2\r\n{}\r\n0\r\n`,
    );
    expect(refused.status).toBe(501);
    expectStatus(refused, Code.Unimplemented, "chunked");
  },
);

describe("a Host header", () => {
  const get = (hosts: string) => send(`GET /healthz HTTP/1.1\r\n${hosts}connection: close\r\n\r\n`);

  test.each([
    ["missing", "", "has no Host header"],
    ["given twice", "host: localhost\r\nHOST: other\r\n", "has 2 Host headers"],
    ["given twice, and the same", "host: localhost\r\nhost: localhost\r\n", "has 2 Host headers"],
  ])("is refused if it is %s", async (_, hosts, message) => {
    const refused = await get(hosts);
    expect(refused.status).toBe(400);
    expectStatus(refused, Code.InvalidArgument, message);
  });

  test("may be missing in HTTP/1.0", async () => {
    expect((await send("GET /healthz HTTP/1.0\r\n\r\n")).status).toBe(200);
  });
});

const everywhere = ["/v1/orders/1", "/healthz", "/readyz", "/"];
const rpcs = ["/shop.orders.v1.OrderService/PlaceOrder", "/grpc.health.v1.Health/Check"];

describe.each(["1.1", "2"] as const)("over HTTP/%s", (version) => {
  const verb = (method: string, target: string) => ask(gateway.url, { version, method, target });
  const check = (response: Awaited<ReturnType<typeof ask>>, code: Code, message: string, reason?: string) =>
    expectStatus(response, code, message, reason);

  describe.each(["TRACE", "PROPFIND", "M-SEARCH", "QUERY", "DELETE"])("%s", (method) => {
    test.each(everywhere)("is refused at %s, which says what it answers", async (path) => {
      const refused = await verb(method, path);
      expect([refused.status, refused.headers.allow]).toEqual([405, "GET, HEAD"]);
      check(refused, Code.Unimplemented, `${path} does not answer ${method}, but GET, HEAD`, "VERB_NOT_ALLOWED");
    });

    test.each(rpcs)("is refused at %s", async (path) => {
      const refused = await verb(method, path);
      expect([refused.status, refused.headers.allow]).toEqual([405, "POST"]);
      check(refused, Code.Unimplemented, `${path} does not answer ${method}, but POST`, "VERB_NOT_ALLOWED");
    });

    test("finds nothing where there is nothing", async () => {
      const refused = await verb(method, "/v1/nothing");
      expect(refused.status).toBe(404);
      check(refused, Code.NotFound, "nothing is found at /v1/nothing", "PATH_NOT_FOUND");
    });
  });

  test.each(rpcs)("a body that is no call is refused at %s", async (target) => {
    const headers = { "content-type": "text/plain" };
    const refused = await ask(gateway.url, { version, method: "POST", target, headers, body: "{}" });
    expect(refused.status).toBe(415);
    check(refused, Code.InvalidArgument, "takes application/json", "BODY_INVALID");
  });

  test.each([...everywhere, "/v1/orders/1"])("HEAD %s says as much as GET, without a body", async (target) => {
    const { status, body } = await verb("HEAD", target);
    expect([status, body]).toEqual([200, ""]);
    expect((await verb("GET", target)).status).toBe(200);
  });

  test("a URL that is too long is refused", async () => {
    const refused = await verb("GET", `/v1/orders/${"a".repeat(15_500)}`);
    expect(refused.status).toBe(414);
    check(refused, Code.InvalidArgument, "the URL is longer than 15360 bytes");
  });

  test("too many header fields are refused", async () => {
    const headers = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`x-${i}`, "a"]));
    const refused = await ask(gateway.url, { version, target: "/healthz", headers });
    expect(refused.status).toBe(431);
    check(refused, Code.InvalidArgument, "header fields: send 128 at most");
  });

  test("headers that are too large are refused", async () => {
    const headers = { a: "x".repeat(8_000), b: "x".repeat(9_000) };
    const refused = await ask(gateway.url, { version, target: "/healthz", headers });
    expect(refused.status).toBe(431);
    check(refused, Code.InvalidArgument, "larger than 16 KiB together");
  });
});

describe("what HTTP/1.1's own server would say without a word", () => {
  test("a URL that is longer than all headers may be", async () => {
    const refused = await request(`GET /v1/orders/${"a".repeat(20_000)}`);
    expect(refused.status).toBe(414);
    expectStatus(refused, Code.InvalidArgument, "the URL is longer");
  });

  test("CONNECT", async () => {
    const refused = await send("CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n");
    expect([refused.status, refused.headers.allow]).toEqual([405, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"]);
    expectStatus(refused, Code.Unimplemented, "CONNECT is not answered");
  });

  test("a method that HTTP does not know", async () => {
    const refused = await request("FOO /v1/orders");
    expect(refused.status).toBe(501);
    expectStatus(refused, Code.Unimplemented, "FOO is no method that is known here");
  });

  test("an expectation that nobody meets", async () => {
    const refused = await request("POST /v1/orders", "expect: a miracle\r\ncontent-length: 0\r\n");
    expect(refused.status).toBe(417);
    expectStatus(refused, Code.InvalidArgument, "100-continue");
  });
});

describe("what HTTP/2's own server would say without a word", () => {
  test("CONNECT", async () => {
    const refused = await ask(gateway.url, { version: "2", method: "CONNECT", target: "example.com:443" });
    expect([refused.status, refused.headers.allow]).toEqual([405, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"]);
    expectStatus(refused, Code.Unimplemented, "CONNECT is not answered");
  });

  test("a method that HTTP does not know", async () => {
    const refused = await ask(gateway.url, { version: "2", method: "FOO", target: "/v1/orders" });
    expect(refused.status).toBe(501);
    expectStatus(refused, Code.Unimplemented, "FOO is no method that is known here");
  });
});
