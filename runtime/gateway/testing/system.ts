import { InventoryService } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import type { System } from "../../spec/system.js";

const orders = OrderService.method;
const users = UserService.method;

/** A system of three services of the shop, with a part of their routes and policies. */
export const system: System = {
  services: [
    {
      name: "orders",
      service: OrderService,
      policy: { placeOrder: { timeoutMs: 5_000 }, getOrder: { timeoutMs: 10_000 }, getReceipt: { timeoutMs: 100 } },
      routes: [
        { verb: "POST", path: "/v1/orders", body: "*", method: orders.placeOrder },
        { verb: "GET", path: "/v1/orders/{id}", method: orders.getOrder },
        { verb: "GET", path: "/v1/orders", method: orders.listOrders },
        { verb: "POST", path: "/v1/orders/{id}:cancel", body: "*", method: orders.cancelOrder },
        { verb: "GET", path: "/v1/orders/{id}:watch", method: orders.watchOrder },
      ],
      calls: [],
      tables: [],
    },
    {
      name: "users",
      service: UserService,
      policy: {},
      routes: [{ verb: "GET", path: "/v1/users", method: users.listUsers }],
      calls: [],
      tables: [],
    },
    {
      name: "inventory",
      service: InventoryService,
      policy: {},
      routes: [
        {
          verb: "PATCH",
          path: "/v1/products/{product.id}",
          body: "product",
          method: InventoryService.method.updateProduct,
        },
      ],
      calls: [],
      tables: [],
    },
  ],
};
