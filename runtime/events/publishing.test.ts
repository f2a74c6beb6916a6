import { orderChanged, orderPlaced } from "@shop/generated/shop/orders/v1/orders_events.js";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { type OrderServiceEntities, orderService } from "@shop/generated/shop/orders/v1/orders_service.js";
import { expect, test } from "vitest";
import { placeOrder } from "../../examples/shop/orders/place-order.js";
import { testDatabase } from "../../generator/testing/database.js";
import { execute } from "../../generator/testing/tables.js";
import type { Context } from "../call/context.js";
import type { Transaction } from "../data/transaction.js";
import { resourcesOf } from "../service/assemble.js";
import type { Transactions } from "../service/define.js";
import { runtimeTables } from "../service/migrations.js";
import { openPublishing } from "./outbox.js";

/** These are checked by tsc, and not called: a line that should not compile, and does, is an error there. */
const orders = orderService({
  handlers: (service) => ({
    placeOrder: (request, context) =>
      service.once(context, async (tx) => {
        await tx.publish(orderPlaced, { orderId: request.requestId });
        await tx.publish(orderChanged, {});
        // @ts-expect-error a field that the event does not have
        await tx.publish(orderPlaced, { nothing: 1 });
        return {};
      }),
    async cancelOrder(_, context) {
      await service.transaction(context, async (tx) => {
        await tx.publish(orderChanged, {});
        // @ts-expect-error CancelOrder publishes OrderChanged alone
        await tx.publish(orderPlaced, {});
        // @ts-expect-error so it cannot be lent to whoever publishes more
        await both(tx);
      });
      // @ts-expect-error without the method's context nobody knows what it publishes
      await service.transaction((tx) => tx.publish(orderChanged, {}));
      return {};
    },
    getReceipt: (_, context) =>
      // @ts-expect-error GetReceipt publishes nothing
      service.transaction(context, (tx) => tx.publish(orderChanged, {})),
    async *watchOrder() {},
    async *trackOrders() {},
  }),
  sagas: { placeOrder },
});

async function both(tx: Transaction<OrderServiceEntities, typeof orderPlaced.schema | typeof orderChanged.schema>) {
  await tx.publish(orderPlaced, {});
}

test("a service publishes what its methods do", () => {
  expect(orders.spec.publishes?.map(({ event }) => event)).toEqual([orderPlaced, orderChanged]);
});

test("what is published in a method's transaction goes on with the trace of its call, and says its version", async () => {
  const url = await testDatabase();
  await execute(url, runtimeTables);
  const { data } = openPublishing(OrderService.typeName, { url, service: "orders", entities: {} });
  const { transaction } = resourcesOf({ data, peers: {} }) as Transactions<object>;
  const requestHeader = new Headers({ traceparent: "00-1-2-01", "accept-language": "de", cookie: "secret" });
  const context = { requestHeader } as Context<typeof orderChanged.schema>;
  await transaction(context, (tx) => tx.publish(orderChanged, { orderId: "o1" }));
  const { rows } = await execute(url, `SELECT "attributes" FROM "scaffold_outbox"`);
  await data.close();
  expect(rows).toEqual([
    {
      attributes: expect.objectContaining({
        traceparent: "00-1-2-01",
        acceptlanguage: "de",
        type: "shop.orders.v1.OrderChanged",
        dataschema: `proto:shop.orders.v1.OrderChanged/${orderChanged.version}`,
      }),
    },
  ]);
});
