import { Code } from "@connectrpc/connect";
import { inMemory } from "@protoscaffold/runtime/testing";
import { createPaymentServiceClient } from "@shop/generated/shop/payments/v1/payments_client.js";
import { PaymentState } from "@shop/generated/shop/payments/v1/payments_pb.js";
import { testDatabase } from "protoscaffold/testing/database";
import { afterAll, beforeAll, expect, test } from "vitest";
import { payments } from "./payments.js";

let service: Awaited<ReturnType<typeof inMemory>>;

beforeAll(async () => {
  const migrations = new URL("./migrations/", import.meta.url);
  service = await inMemory(payments, { databaseUrl: await testDatabase(), migrations });
});

afterAll(() => service?.close());

const capture = { requestId: "1", orderId: "o", amountCents: 100n, paymentMethod: "card" };

test("money moves once, however often it is asked for", async () => {
  const client = createPaymentServiceClient({ transport: service.transport });
  const payment = await client.capturePayment(capture);
  expect(payment).toMatchObject({ orderId: "o", amountCents: 100n, state: PaymentState.CAPTURED });
  expect(await client.capturePayment(capture)).toEqual(payment);

  const refunded = await client.refundPayment({ requestId: "1", orderId: "o" });
  expect(refunded).toMatchObject({ id: payment.id, state: PaymentState.REFUNDED });
  expect(await client.refundPayment({ requestId: "1", orderId: "o" })).toEqual(refunded);
  expect((await client.getPayment({ id: payment.id })).state).toBe(PaymentState.REFUNDED);
  await expect(client.capturePayment(capture)).rejects.toMatchObject({ code: Code.FailedPrecondition });
});

test("a refund that comes first keeps the money with the customer", async () => {
  const client = createPaymentServiceClient({ transport: service.transport });
  const refunded = await client.refundPayment({ requestId: "late", orderId: "o" });
  expect(refunded).toMatchObject({ id: "", state: PaymentState.REFUNDED });
  const late = client.capturePayment({ ...capture, requestId: "late" });
  await expect(late).rejects.toMatchObject({ code: Code.FailedPrecondition });
  expect(await client.refundPayment({ requestId: "late", orderId: "o" })).toEqual(refunded);
});

test("a declined payment is an answer, and is never refunded", async () => {
  const client = createPaymentServiceClient({ transport: service.transport });
  const payment = await client.capturePayment({ ...capture, requestId: "4", paymentMethod: "declined" });
  expect(payment.state).toBe(PaymentState.DECLINED);
  expect((await client.refundPayment({ requestId: "4", orderId: "o" })).state).toBe(PaymentState.DECLINED);
});
