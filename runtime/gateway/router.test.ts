import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { expect, it } from "vitest";
import type { Route } from "./route.js";
import { Router } from "./router.js";

const { getOrder, cancelOrder, placeOrder, listOrders } = OrderService.method;
const routes = [
  { verb: "GET", path: "/v1/orders/{id}", method: getOrder },
  { verb: "GET", path: "/v1/orders/latest", method: listOrders },
  { verb: "GET", path: "/v1/orders", method: listOrders },
  { verb: "POST", path: "/v1/orders", body: "*", method: placeOrder },
  { verb: "POST", path: "/v1/orders/{id}:cancel", body: "*", method: cancelOrder },
  { verb: "GET", path: "/v1/{id=**}", method: getOrder },
] as const satisfies readonly Route[];
const refuse = (_: Route, problem: string) => {
  throw new Error(problem);
};
const router = new Router<Route>(routes, [], refuse);

it.each([
  ["GET", "/v1/orders/1", 0],
  ["HEAD", "/v1/orders/1", 0],
  ["GET", "/v1/orders/latest", 1],
  ["GET", "/v1/orders", 2],
  ["POST", "/v1/orders", 3],
  ["POST", "/v1/orders/1:cancel", 4],
  ["GET", "/v1/orders/1:other", 0],
  ["GET", "/v1/orders/1/lines", 5],
])("%s %s is route %i", (verb, path, index) => {
  expect(router.match(verb, path)).toMatchObject({ kind: "found", route: routes[index] });
});

it("tells a wrong verb from an unknown path", () => {
  expect(router.match("DELETE", "/v1/orders")).toEqual({ kind: "wrong-verb", allow: ["GET", "HEAD", "POST"] });
  expect(router.match("GET", "/v1/orders/1:cancel")).toEqual({ kind: "wrong-verb", allow: ["POST"] });
  expect(router.match("GET", "/v2/orders")).toEqual({ kind: "unknown" });
});

it.each([
  ["GET", "/v1/orders/{order_id}", `${getOrder}`],
  ["GET", "/v1/orders/{order_id=*}", `${getOrder}`],
  ["GET", "/v1/%6Frders/*", `${getOrder}`],
  ["GET", "/v1/**", `${getOrder}`],
  ["GET", "/healthz", "the gateway itself"],
  ["POST", "/readyz", "the gateway itself"],
  ["GET", "/%6Detrics", "the gateway itself"],
  ["POST", "/shop.orders.v1.OrderService/GetOrder", "RPC calls of shop.orders.v1.OrderService"],
  ["GET", "/grpc.health.v1.Health/{id=**}", "RPC calls of grpc.health.v1.Health"],
] as const)("skips %s %s, and serves the others", (verb, path, owner) => {
  const skipped: string[] = [];
  const route: Route = { verb, path, method: listOrders };
  const all = new Router<Route>([...routes, route], ["shop.orders.v1.OrderService"], (_, problem) =>
    skipped.push(problem),
  );
  expect(skipped).toEqual([`${verb} ${path} already leads to ${owner}`]);
  expect(all.match("GET", "/v1/orders/1")).toMatchObject({ kind: "found", route: routes[0] });
});
