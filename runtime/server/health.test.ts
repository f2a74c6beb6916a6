import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  Health as HealthService,
  HealthCheckResponse_ServingStatus as Status,
} from "../options/grpc/health/v1/health_pb.js";
import { healthPages } from "../service/readiness.js";
import { rpcTransportOfSuite } from "../testing/rpc-transport.js";
import { createServerAdapter } from "./adapter.js";
import { Health, healthRoutes } from "./health.js";
import { type Listener, listen } from "./listen.js";

const orders = "shop.orders.v1.OrderService";
let health: Health;
let listener: Listener;

beforeEach(async () => {
  health = new Health();
  const handlers = createServerAdapter({
    transport: rpcTransportOfSuite,
    routes: healthRoutes(health),
    pages: healthPages(health),
  });
  listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
});
afterEach(() => listener.drain(0));

const client = () => createClient(HealthService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${listener.port}` }));

test("Check answers for one service and for the process", async () => {
  const { check } = client();
  expect((await check({})).status).toBe(Status.SERVING);
  health.set(orders, "NOT_SERVING");
  expect((await check({})).status).toBe(Status.NOT_SERVING);
  expect((await check({ service: orders })).status).toBe(Status.NOT_SERVING);
  health.set(orders, "SERVING");
  expect((await check({})).status).toBe(Status.SERVING);
  const error = await check({ service: "shop.Nobody" }).catch(ConnectError.from);
  expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "no service shop.Nobody is served here" });
});

test("readiness is that of all services, and liveness that of the process, by name and by plain HTTP", async () => {
  const { check } = client();
  const statuses = async () => {
    const names = ["", "readiness", "liveness", orders, "database"];
    return Promise.all(names.map(async (service) => (await check({ service })).status));
  };
  const pages = async () => {
    const responses = ["/readyz", "/healthz"].map((path) => fetch(`http://127.0.0.1:${listener.port}${path}`));
    return Promise.all(responses.map(async (response) => [(await response).status, await (await response).json()]));
  };
  health.set(orders, "SERVING");
  health.setDependency("database", "SERVING");
  const all = { status: "SERVING", database: "SERVING" };
  expect([await statuses(), await pages()]).toEqual([
    [Status.SERVING, Status.SERVING, Status.SERVING, Status.SERVING, Status.SERVING],
    [
      [200, all],
      [200, all],
    ],
  ]);
  // Something can be served all the same.
  health.setDependency("database", "NOT_SERVING");
  expect((await statuses()).slice(0, 4)).toEqual(Array(4).fill(Status.SERVING));
  expect((await pages())[0]).toEqual([200, { status: "SERVING", database: "NOT_SERVING" }]);
  health.set(orders, "NOT_SERVING");
  const away = [Status.NOT_SERVING, Status.NOT_SERVING, Status.SERVING, Status.NOT_SERVING, Status.NOT_SERVING];
  expect(await statuses()).toEqual(away);
  expect(await pages()).toEqual([
    [503, { status: "NOT_SERVING", database: "NOT_SERVING" }],
    [200, { status: "SERVING", database: "NOT_SERVING" }],
  ]);
});

test("a process that drains lives, and is not ready", async () => {
  const changes = client().watch({ service: "readiness" })[Symbol.asyncIterator]();
  expect((await changes.next()).value?.status).toBe(Status.SERVING);
  health.set(orders, "NOT_SERVING");
  expect((await changes.next()).value?.status).toBe(Status.NOT_SERVING);
  health.shutdown();
  expect((await changes.next()).done).toBe(true);
  expect([health.status("liveness"), health.status("readiness")]).toEqual(["SERVING", "NOT_SERVING"]);
});

test("Check answers plain HTTP with JSON", async () => {
  const response = await fetch(`http://127.0.0.1:${listener.port}/grpc.health.v1.Health/Check`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  expect(await response.json()).toEqual({ status: "SERVING" });
});

test("List answers for all", async () => {
  health.set(orders, "UNKNOWN");
  const { statuses } = await client().list({});
  expect(Object.entries(statuses).map(([name, { status }]) => [name, status])).toEqual([
    ["", Status.NOT_SERVING],
    ["liveness", Status.SERVING],
    ["readiness", Status.NOT_SERVING],
    [orders, Status.UNKNOWN],
  ]);
});

test("Watch sends the status and each change, and ends when the process shuts down", async () => {
  const changes = client().watch({ service: orders })[Symbol.asyncIterator]();
  const next = async () => (await changes.next()).value?.status;
  expect(await next()).toBe(Status.SERVICE_UNKNOWN);
  health.set(orders, "SERVING");
  expect(await next()).toBe(Status.SERVING);
  health.set(orders, "SERVING");
  health.set(orders, "NOT_SERVING");
  expect(await next()).toBe(Status.NOT_SERVING);
  health.shutdown();
  health.set(orders, "SERVING");
  expect((await changes.next()).done).toBe(true);
  expect((await client().check({})).status).toBe(Status.NOT_SERVING);
});

test("a watcher that leaves is forgotten", async () => {
  const left = new AbortController();
  const watch = health.watch("", left.signal);
  expect((await watch.next()).value).toBe("SERVING");
  const next = watch.next();
  left.abort();
  expect((await next).done).toBe(true);
});
