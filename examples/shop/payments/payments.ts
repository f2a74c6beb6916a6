import { paymentCaptured } from "@shop/generated/shop/payments/v1/payments_events.js";
import { PaymentService, PaymentState } from "@shop/generated/shop/payments/v1/payments_pb.js";
import { paymentService } from "@shop/generated/shop/payments/v1/payments_service.js";

export const payments = paymentService({
  handlers: (service) => ({
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

    refundPayment({ orderId }, context) {
      return service.undo(context, PaymentService.method.capturePayment, async (tx, payment) => {
        // Nothing was captured, and `undo` refuses a capture that arrives later.
        if (payment === undefined) return { orderId, state: PaymentState.REFUNDED };
        if (payment.state !== PaymentState.CAPTURED) return payment;
        return tx.payments.update(payment.id, { state: PaymentState.REFUNDED });
      });
    },
  }),
});
