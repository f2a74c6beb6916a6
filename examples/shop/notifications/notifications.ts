import { notificationService } from "@shop/generated/shop/notifications/v1/notifications_service.js";
import { OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { KnownOrders } from "./known-orders.js";
import { sendLetter } from "./letters.js";

export const notifications = notificationService({
  handlers: () => ({}),
  consumers: (service) => {
    const orders = new KnownOrders(service.orders);

    return {
      async userRegistered({ id, event: { userId, email, displayName } }, { tx }) {
        const welcome = { subject: `Welcome, ${displayName}`, text: `You are registered as ${email}.` };
        await tx.notifications.create({ userId, ...welcome });
        // The letter is not part of `tx`. If `tx` is rolled back, the handler runs again and sends the same id.
        await sendLetter(service.letters, { id, email, ...welcome });
      },

      async orderPlaced({ event: { orderId, customerId, lines } }, { tx }) {
        const items = lines.reduce((sum, { quantity }) => sum + quantity, 0);
        const text = `${things(items)}, order ${orderId}.`;
        await tx.notifications.create({ userId: customerId, subject: "We have your order", text });
      },

      async paymentCaptured({ event: { orderId, amountCents } }, context) {
        const { customerId, items } = await orders.get(orderId, context);
        const text = `${money(amountCents)} for ${things(items)}, order ${orderId}.`;
        await context.tx.notifications.create({ userId: customerId, subject: "Your payment has arrived", text });
      },

      async orderChanged({ event: { orderId, state } }, context) {
        await orders.forget(orderId, context);
        if (state !== OrderState.CONFIRMED && state !== OrderState.CANCELLED) return;
        const order = await orders.get(orderId, context);
        if (order.state < state) throw new Error(`orders returned order ${orderId} in a state older than the event`);
        const about =
          order.state === OrderState.CANCELLED
            ? { subject: "Your order is cancelled", text: `Order ${orderId}: ${order.cancelReason}.` }
            : {
                subject: "Your order is confirmed",
                text: `${things(order.items)} for ${money(order.totalCents)}, order ${orderId}.`,
              };
        await context.tx.notifications.create({ userId: order.customerId, ...about });
      },
    };
  },
});

function things(count: number): string {
  return count === 1 ? "One thing" : `${count} things`;
}

function money(cents: bigint): string {
  return (Number(cents) / 100).toLocaleString("en", { style: "currency", currency: "EUR" });
}
