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
const router = new Router<Route>(routes);

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

it("refuses two routes for the same requests", () => {
  const twin: Route = { verb: "GET", path: "/v1/orders/{order_id}", method: listOrders };
  expect(() => new Router<Route>([...routes, twin])).toThrow(
    /GetOrder and .*ListOrders both answer GET .*give one of them another path/,
  );
});
