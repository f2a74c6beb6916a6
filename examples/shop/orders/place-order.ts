import { ReservationState } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { orderChanged } from "@shop/generated/shop/orders/v1/orders_events.js";
import { type OrderLine, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import type { PlaceOrderSaga } from "@shop/generated/shop/orders/v1/orders_saga.js";
import { PaymentState } from "@shop/generated/shop/payments/v1/payments_pb.js";

/** Takes an order from PENDING to CONFIRMED, or undoes every step and ends CANCELLED. The saga's id is the order's. */
export const placeOrder: PlaceOrderSaga = {
  steps: {
    reserve: {
      request: ({ id, input }) => ({ orderId: id, lines: input.lines.map(quantities) }),
      refused({ state, missingProductIds }) {
        return state === ReservationState.REJECTED ? `not in stock: ${missingProductIds.join(", ")}` : undefined;
      },
    },
    capture: {
      request: ({ id, input, answers }) => ({
        orderId: id,
        amountCents: total(answers.reserve.lines),
        paymentMethod: input.paymentMethod,
      }),
      refused: ({ state }) => (state === PaymentState.DECLINED ? "payment declined" : undefined),
    },
  },

  async complete(tx, { id, answers: { reserve, capture } }) {
    await tx.orders.update(id, { ...bought(reserve), paymentId: capture.id, state: OrderState.CONFIRMED });
    await tx.publish(orderChanged, { orderId: id, state: OrderState.CONFIRMED });
  },

  async cancel(tx, { id, answers: { reserve, capture } }, reason) {
    await tx.orders.update(id, {
      ...(reserve?.state === ReservationState.RESERVED && bought(reserve)),
      ...(capture && { paymentId: capture.id }),
      state: OrderState.CANCELLED,
      cancelReason: reason,
    });
    await tx.publish(orderChanged, { orderId: id, state: OrderState.CANCELLED });
  },
};

/** Returns the order's fields for reserved goods: the lines with their prices, the total and the reservation. */
function bought({ id, lines }: { id: string; lines: readonly Priced[] }) {
  const priced = lines.map((line) => ({ ...quantities(line), unitPriceCents: line.unitPriceCents }));
  return { lines: priced, totalCents: total(lines), reservationId: id };
}

type Priced = Pick<OrderLine, "productId" | "quantity" | "unitPriceCents">;

function quantities({ productId, quantity }: Pick<OrderLine, "productId" | "quantity">) {
  return { productId, quantity };
}

function total(lines: readonly Priced[]): bigint {
  return lines.reduce((sum, line) => sum + BigInt(line.quantity) * line.unitPriceCents, 0n);
}
