import { InventoryService } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import pino from "pino";
import { expect, it, onTestFinished } from "vitest";
import type { Route } from "../spec/route.js";
import type { System } from "../spec/system.js";
import { readGatewayEnvironment } from "./environment.js";
import { startGateway } from "./start.js";
import { startService } from "./testing/gateway.js";

const { getOrder, placeOrder, listOrders, cancelOrder } = OrderService.method;
const { updateProduct } = InventoryService.method;
const bad: readonly Route[] = [
  { verb: "GET", path: "/v1/t/", method: getOrder },
  { verb: "GET", path: "/v1/{id}x", method: getOrder },
  { verb: "GET", path: "/v1/{id", method: getOrder },
  { verb: "GET", path: "/v1/tür/{id}", method: getOrder },
  { verb: "GET", path: "", method: getOrder },
  { verb: "GET", path: "/v1/{lines}", method: getOrder },
  { verb: "POST", path: "/v1/orders", body: "nothing.at.all", method: placeOrder },
  { verb: "GET", path: "/v1/orders/{other=*}", method: listOrders },
  { verb: "GET", path: "/healthz", method: listOrders },
  { verb: "GET", path: "/v1/{page_token=**}/orders/**", method: listOrders },
];
const good: readonly Route[] = [
  { verb: "GET", path: "/v1/orders/{id}", method: getOrder },
  { verb: "GET", path: "/", method: listOrders },
  { verb: "POST", path: "/v1/orders/{id}:a:b", body: "*", method: cancelOrder },
  { verb: "GET", path: "/v1/{page_token=shelves/**}/orders/{filter}", method: listOrders },
];
const ofFields: Route = {
  verb: "PUT",
  path: "/v1/names/{product.id}",
  body: "product.name",
  responseBody: "name",
  method: updateProduct,
};
const plain = { policy: {}, calls: [], tables: [] };
const system: System = {
  services: [
    { ...plain, name: "orders", service: OrderService, routes: [...good, ...bad] },
    { ...plain, name: "inventory", service: InventoryService, routes: [ofFields] },
    {
      ...plain,
      name: "users",
      service: UserService,
      routes: [{ verb: "GET", path: "/v1/users/{id}", method: UserService.method.getUser }],
    },
  ],
};

it("logs and skips the routes that cannot be served, and serves the others", async () => {
  const lines: { msg: string; route: string; problem: string }[] = [];
  const service = await startService((router) => {
    router.service(OrderService, {
      getOrder: ({ id }) => ({ id }),
      listOrders: ({ pageToken, filter }) => ({ nextPageToken: pageToken && `${filter} of ${pageToken}` }),
      cancelOrder: ({ id }) => ({ id, cancelReason: "late" }),
    });
    router.service(InventoryService, { updateProduct: ({ product }) => product! });
    router.service(UserService, { getUser: ({ id }) => ({ id }) });
  });
  onTestFinished(() => service.kill());
  const gateway = await startGateway(
    system,
    readGatewayEnvironment(system, {
      PORT: "0",
      DRAIN_TIMEOUT_MS: "100",
      ORDERS_URL: service.url,
      INVENTORY_URL: service.url,
      USERS_URL: service.url,
    }),
    pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
  );
  onTestFinished(() => gateway.stop());
  const skipped = lines.filter(({ msg }) => msg === "route skipped");
  expect(skipped.map(({ route }) => route).sort()).toEqual(bad.map(({ verb, path }) => `${verb} ${path}`).sort());
  expect(skipped.every(({ problem }) => problem.length > 0)).toBe(true);
  const get = async (path: string, init?: RequestInit) =>
    (await fetch(`http://127.0.0.1:${gateway.port}${path}`, init)).json();
  const send = (method: string, path: string, body: unknown) =>
    get(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  expect(await get("/v1/orders/1")).toMatchObject({ id: "1" });
  expect(await get("/")).toMatchObject({ nextPageToken: "" });
  expect(await get("/v1/shelves/a/b%2Fc/orders/d%2Fe")).toMatchObject({ nextPageToken: "d/e of shelves/a/b%2Fc" });
  expect(await get("/v1/users/2")).toMatchObject({ id: "2" });
  expect(await send("POST", "/v1/orders/1:a:b", {})).toMatchObject({ id: "1", cancelReason: "late" });
  expect(await send("PUT", "/v1/names/p", "Cup")).toBe("Cup");
  expect(await get("/healthz")).toEqual({ status: "SERVING" });
});
