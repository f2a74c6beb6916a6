import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, describe, expect, test } from "vitest";
import { createServiceClient } from "../client/client.js";
import { EnvironmentError, readEnvironment } from "../config/environment.js";
import { startGatewayTo } from "../gateway/testing/gateway.js";
import { createLogger } from "../observe/log.js";
import { createServerAdapter } from "../server/adapter.js";
import { handlerRoutes } from "../server/handlers.js";
import { listen } from "../server/listen.js";
import { ask } from "../testing/ask.js";
import type { Context } from "./context.js";
import { attributeName, Propagation, propagatedHeadersVariable } from "./propagation.js";

const propagation = new Propagation(["x-tenant", "x-scope-bin"]);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const goesOn = {
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "a=b",
  baggage: "user=ada",
  "x-request-id": "r1",
  "accept-language": "de-AT, de;q=0.5",
  "x-tenant": "acme",
  "x-scope-bin": "AQI=, AwQ=",
};
const staysHere = { authorization: "Bearer t", cookie: "a=1", "x-other": "1", "accept-encoding": "gzip" };

/** What arrives at the third service of a chain, whose first call comes through a gateway. */
async function thirdOf(
  call: (gatewayUrl: string) => Promise<unknown>,
  second: (header: Headers) => void = () => undefined,
): Promise<Headers> {
  let seen = new Headers();
  const users = await start((router) =>
    router.service(UserService, {
      getUser: ({ id }, { requestHeader }) => {
        seen = requestHeader;
        return { id };
      },
    }),
  );
  const client = createServiceClient(UserService, {} as never, { baseUrl: users });
  const handlers = {
    ...Object.fromEntries(OrderService.methods.map(({ localName }) => [localName, () => ({})])),
    async getOrder({ id }: { id: string }, context: Context) {
      second(context.requestHeader);
      await client.getUser({ id }, context);
      return { id };
    },
  };
  const log = createLogger({ name: "orders", level: "silent" });
  const { signal: draining } = new AbortController();
  const orders = await start(
    handlerRoutes({ service: OrderService, policy: {}, name: "orders" }, handlers, { log, draining, propagation }),
  );
  const gateway = await startGatewayTo(orders);
  cleanups.push(() => gateway.stop());
  await call(`http://127.0.0.1:${gateway.port}`);
  return seen;
}

async function start(routes: Parameters<typeof createServerAdapter>[0]["routes"]): Promise<string> {
  const listener = await listen({ ...createServerAdapter({ routes }), host: "127.0.0.1", port: 0 });
  cleanups.push(() => listener.drain(0));
  return `http://127.0.0.1:${listener.port}`;
}

describe("headers that a service names go on, beside those of the trace", () => {
  const headers = { ...goesOn, ...staysHere };

  test.each([
    ["REST over HTTP/1.1", { version: "1.1", target: "/v1/orders/1", headers }],
    ["REST over HTTP/2", { version: "2", target: "/v1/orders/1", headers }],
    [
      "a call that is passed on",
      {
        version: "2",
        method: "POST",
        target: "/shop.orders.v1.OrderService/GetOrder",
        headers: { ...headers, "content-type": "application/json" },
        body: '{"id": "1"}',
      },
    ],
  ] as const)("from %s", async (_, question) => {
    const seen = await thirdOf(async (url) => {
      expect((await ask(url, question)).status).toBe(200);
    });
    expect(Object.fromEntries([...seen].filter(([name]) => name in goesOn))).toEqual(goesOn);
    expect([...seen.keys()].filter((name) => name in staysHere)).toEqual([]);
  });
});

describe("a value that metadata cannot have ends at the first service", () => {
  // As the bytes of "café" in UTF-8 and in Latin-1 come; half of a base64 quantum, and what is none.
  const bad = {
    "x-tenant": "caf\u00c3\u00a9",
    baggage: "a=\u00e9",
    "accept-language": "a\tb",
    "x-scope-bin": "AQI=, A",
  };
  const good = { "x-request-id": "r1", tracestate: "a=b" };

  test.each(["application/json", "application/grpc-web+proto", "application/grpc"])("over %s", async (type) => {
    const body = type.endsWith("json") ? '{"id": "1"}' : "\0\0\0\0\u0003\n\u00011";
    let first = new Headers();
    const seen = await thirdOf(
      async (url) => {
        await ask(url, {
          version: type === "application/grpc" ? "2" : "1.1",
          method: "POST",
          target: "/shop.orders.v1.OrderService/GetOrder",
          headers: { ...bad, ...good, "content-type": type },
          body,
        });
      },
      (header) => {
        first = header;
      },
    );
    expect(Object.keys(bad).every((name) => first.has(name))).toBe(true);
    expect(Object.fromEntries([...seen].filter(([name]) => name in bad || name in good))).toEqual(good);
  });

  test("that came with an event ends there, too", () => {
    expect(propagation.ofEvent({ xtenant: "\u00e9", xscopebin: "A", tracestate: "a=b" })).toEqual({
      tracestate: "a=b",
    });
  });

  test.each([
    ["AQI=", true],
    ["AQI", true],
    ["AQI=,AwQ", true],
    ["", true],
    ["A", false],
    ["AQI==", false],
    ["A?I=", false],
    ["AQ=I", false],
  ])("as %j under a name that ends in -bin does not (%j)", (value, does) => {
    expect(propagation.of(new Headers({ "x-scope-bin": value }))["x-scope-bin"] !== undefined).toBe(does);
  });
});

test("what goes on is bounded: what does not fit ends there", () => {
  const header = new Headers({ ...goesOn, baggage: `a=${"x".repeat(8_190)}` });
  const { baggage, ...others } = goesOn;
  expect(propagation.of(header)).toEqual(others);
});

test("what went on with an event is found again", () => {
  const attributes = Object.fromEntries(Object.entries(goesOn).map(([name, value]) => [attributeName(name), value]));
  expect(Object.keys(attributes).every((name) => /^[a-z0-9]+$/.test(name))).toBe(true);
  expect(propagation.ofEvent({ id: "1", source: "s", ...attributes })).toEqual(goesOn);
});

describe("PROPAGATED_HEADERS", () => {
  const read = (text: string) => readEnvironment({ names: propagatedHeadersVariable }, { names: text }).names;

  test("names headers, in whatever case", () => {
    expect(read("X-Tenant,x-region , accept-language")).toEqual(["x-tenant", "x-region", "accept-language"]);
    expect(read("")).toEqual([]);
  });

  test.each([
    ["of one hop", "connection"],
    ["of a protocol", "grpc-timeout"],
    ["of the body", "content-type"],
    ["a credential", "Authorization"],
    ["a cookie", "x-tenant,cookie"],
    ["no name", "x tenant"],
    ["empty", "x-tenant,,x-region"],
    ["an event's own attribute", "id"],
    ["not told apart in an event", "x-tenant,xtenant"],
    ["not told apart from the trace", "trace-parent"],
  ])("refuses what is %s", (_, text) => {
    expect(() => read(text)).toThrow(EnvironmentError);
  });
});
