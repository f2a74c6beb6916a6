import { Code, ConnectError } from "@connectrpc/connect";
import { orderPlaced } from "@shop/generated/shop/orders/v1/orders_events.js";
import { type Order, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { orderService } from "@shop/generated/shop/orders/v1/orders_service.js";
import { follower } from "./follow.js";
import { placeOrder } from "./place-order.js";

export const orders = orderService({
  handlers: (service, standard) => {
    /** Reads orders from the database, not from the cache. */
    const current = (ids: readonly string[]) => service.transaction((tx) => tx.orders.batchGet(ids));
    const follow = follower(current);

    return {
      async placeOrder(request, context) {
        const order = await service.once(context, async (tx) => {
          const { customerId, lines } = request;
          const created = await tx.orders.create({ customerId, state: OrderState.PENDING, lines });
          await service.sagas.placeOrder.start(tx, created.id, request, context);
          await tx.publish(orderPlaced, { orderId: created.id, customerId, lines, placeTime: created.createTime });
          return created;
        });
        // Until the saga has ended, the order is as it was created.
        if (!request.wait || !(await service.sagas.placeOrder.ended(order.id, context))) return order;
        const [settled] = await current([order.id]);
        return settled as Order;
      },

      async getReceipt({ id }, context) {
        const order = await standard.getOrder({ $typeName: "shop.orders.v1.GetOrderRequest", id }, context);
        if (!order.paymentId) return { order };
        return { order, payment: await service.payments.getPayment({ id: order.paymentId }, context) };
      },

      async cancelOrder({ id }, context) {
        const [order] = await current([id]);
        if (order?.state === OrderState.CANCELLED) return order;
        await service.sagas.placeOrder.compensate(id, "cancelled by the customer");
        if (!(await service.sagas.placeOrder.ended(id, context))) {
          throw new ConnectError(`order ${id} is still being cancelled: watch it`, Code.DeadlineExceeded);
        }
        const [cancelled] = await current([id]);
        return cancelled as Order;
      },

      watchOrder({ id }, context) {
        return follow(new Set([id]), context.signal);
      },

      async *trackOrders(requests, context) {
        const ids = new Set<string>();
        const asking = (async () => {
          for await (const { id } of requests) {
            await current([id]);
            ids.add(id);
          }
        })();
        yield* follow(ids, context.signal, asking);
      },
    };
  },
  sagas: { placeOrder },
});
