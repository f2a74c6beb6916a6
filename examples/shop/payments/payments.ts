import { paymentCaptured } from "@shop/generated/shop/payments/v1/payments_events.js";
import { PaymentState } from "@shop/generated/shop/payments/v1/payments_pb.js";
import { paymentService } from "@shop/generated/shop/payments/v1/payments_service.js";

export const payments = paymentService((service) => ({
  capturePayment({ orderId, amountCents, paymentMethod }, context) {
    const state = paymentMethod === "declined" ? PaymentState.DECLINED : PaymentState.CAPTURED;
    return service.once(context, async (tx) => {
      const payment = await tx.payments.create({ orderId, amountCents, state });
      if (state === PaymentState.CAPTURED) {
        await tx.publish(paymentCaptured, { paymentId: payment.id, orderId, amountCents });
      }
      return payment;
    });
  },

  refundPayment({ id }, context) {
    return service.once(context, async (tx) => {
      const payment = await tx.payments.lock(id);
      return payment.state === PaymentState.CAPTURED
        ? tx.payments.update(id, { state: PaymentState.REFUNDED })
        : payment;
    });
  },
}));
