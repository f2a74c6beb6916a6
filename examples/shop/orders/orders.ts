import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Context } from "@protoscaffold/runtime/rpc/context";
import { ReservationState, type StockLine } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { orderChanged, orderPlaced } from "@shop/generated/shop/orders/v1/orders_events.js";
import { type Order, type OrderLine, type OrderSchema, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { orderService } from "@shop/generated/shop/orders/v1/orders_service.js";
import { PaymentState } from "@shop/generated/shop/payments/v1/payments_pb.js";
import { follow } from "./follow.js";

export const orders = orderService((service, standard) => {
  /**
   * Takes an order from PENDING to where it belongs. Every step carries a key made from the order's id and so happens
   * once, however often this runs: a process may die anywhere in here, and the next attempt goes on from there.
   */
  async function settle(order: Order, paymentMethod: string, context: Context): Promise<Order> {
    const reservation = await service.inventory.reserveStock(
      { requestId: `${order.id}/reserve`, orderId: order.id, lines: order.lines.map(goods) },
      context,
    );
    if (reservation.state === ReservationState.REJECTED) {
      const missing = reservation.missingProductIds.join(", ");
      return conclude(order.id, OrderState.PENDING, {
        state: OrderState.CANCELLED,
        cancelReason: `not in stock: ${missing}`,
      });
    }
    const totalCents = reservation.lines.reduce((sum, line) => sum + BigInt(line.quantity) * line.unitPriceCents, 0n);
    const payment = await service.payments.capturePayment(
      { requestId: `${order.id}/capture`, orderId: order.id, amountCents: totalCents, paymentMethod },
      context,
    );
    const bought = {
      lines: reservation.lines.map(priced),
      totalCents,
      reservationId: reservation.id,
      paymentId: payment.id,
    };
    if (payment.state === PaymentState.DECLINED) {
      await service.inventory.releaseStock({ requestId: `${order.id}/release`, id: reservation.id }, context);
      return conclude(order.id, OrderState.PENDING, {
        ...bought,
        state: OrderState.CANCELLED,
        cancelReason: "payment declined",
      });
    }
    return conclude(order.id, OrderState.PENDING, { ...bought, state: OrderState.CONFIRMED });
  }

  /** Moves an order out of a state, unless someone else has done so already; answers with the order as it then is. */
  function conclude(id: string, from: OrderState, change: MessageInitShape<typeof OrderSchema>): Promise<Order> {
    return service.transaction(async (tx) => {
      const order = await tx.orders.lock(id);
      if (order.state !== from) return order;
      const changed = await tx.orders.update(id, change);
      await tx.publish(orderChanged, { orderId: id, state: changed.state });
      return changed;
    });
  }

  /** Orders as the database has them now, past the cache. */
  const current = (ids: readonly string[]) => service.transaction((tx) => tx.orders.batchGet(ids));

  return {
    async placeOrder(request, context) {
      const order = await service.once(context, async (tx) => {
        const { customerId, lines } = request;
        const placed = await tx.orders.create({ customerId, state: OrderState.PENDING, lines });
        await tx.publish(orderPlaced, { orderId: placed.id, customerId, lines, placeTime: placed.createTime });
        return placed;
      });
      return settle(order, request.paymentMethod, context);
    },

    async getReceipt({ id }, context) {
      const order = await standard.getOrder({ $typeName: "shop.orders.v1.GetOrderRequest", id }, context);
      if (!order.paymentId) return { order };
      return { order, payment: await service.payments.getPayment({ id: order.paymentId }, context) };
    },

    async cancelOrder({ id }, context) {
      const [order] = await current([id]);
      if (order === undefined || order.state === OrderState.PENDING) {
        throw new ConnectError(
          `order ${id} is still being placed: cancel it once it is confirmed`,
          Code.FailedPrecondition,
        );
      }
      if (order.state === OrderState.CANCELLED) return order;
      await service.payments.refundPayment({ requestId: `${id}/refund`, id: order.paymentId }, context);
      await service.inventory.releaseStock({ requestId: `${id}/release`, id: order.reservationId }, context);
      return conclude(id, OrderState.CONFIRMED, {
        state: OrderState.CANCELLED,
        cancelReason: "cancelled by the customer",
      });
    },

    watchOrder({ id }, context) {
      return follow(new Set([id]), current, context.signal);
    },

    async *trackOrders(requests, context) {
      const ids = new Set<string>();
      const asking = (async () => {
        for await (const { id } of requests) ids.add(id);
      })();
      yield* follow(ids, current, context.signal, asking);
    },
  };
});

/** What the inventory is asked for. */
function goods({ productId, quantity }: OrderLine) {
  return { productId, quantity };
}

/** What the inventory set aside, at its price, as the order keeps it. */
function priced({ productId, quantity, unitPriceCents }: StockLine) {
  return { productId, quantity, unitPriceCents };
}
