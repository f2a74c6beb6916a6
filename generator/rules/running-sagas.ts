import { never, type RuleEntries } from "./rule.js";

const untilNone = (rule: string) =>
  never(`sagas that run are as they were begun. Once none is left, scaffold breaking --allow ${rule} lets it pass.`);

/** What must hold of a contract beside what it was, for the sagas that were begun before: `scaffold breaking` compares. */
export const runningSagas = {
  SAGA_NO_DELETE: {
    holds: "A method that starts a saga goes on to.",
    why: "Sagas that run are found by the method's name: nobody would go on with them, nor undo them. Let nothing call the method any more, and take it away when scaffold sagas list shows none of it.",
    language: "diff",
    bad: ` rpc PlaceOrder(PlaceOrderRequest) returns (Order) {
   option (scaffold.v1.method) = {
     idempotency_key: "request_id"
-    saga: {steps: {name: "reserve" call: "…ReserveStock" compensate: "…ReleaseStock"}}
   };
 }`,
    good: ` rpc PlaceOrder(PlaceOrderRequest) returns (Order) {
+  option deprecated = true;
   option (scaffold.v1.method) = {
     idempotency_key: "request_id"
     saga: {steps: {name: "reserve" call: "…ReserveStock" compensate: "…ReleaseStock"}}
   };
 }`,
    ignoring: untilNone("SAGA_NO_DELETE"),
  },
  SAGA_SAME_STEPS: {
    holds: "A saga keeps its steps and their order; new ones come last.",
    why: "A saga that runs has begun its first steps, and goes on behind them. With a step inserted before, removed, renamed or moved it would leave one out, or do one twice. It waits instead until a version comes that it fits, and is undone when its time is over.",
    language: "diff",
    bad: ` saga: {
+  steps: {name: "check" call: "…CheckCustomer" compensate: "…UncheckCustomer"}
   steps: {name: "reserve" call: "…ReserveStock" compensate: "…ReleaseStock"}
   steps: {name: "capture" call: "…CapturePayment" compensate: "…RefundPayment"}
 }`,
    good: ` saga: {
   steps: {name: "reserve" call: "…ReserveStock" compensate: "…ReleaseStock"}
   steps: {name: "capture" call: "…CapturePayment" compensate: "…RefundPayment"}
+  steps: {name: "ship" call: "…BookParcel" compensate: "…CancelParcel"}
 }`,
    ignoring: untilNone("SAGA_SAME_STEPS"),
  },
  SAGA_SAME_CALL: {
    holds: "A step calls the method that it called, which finds its key in the same field.",
    why: "The request of a step is kept before it is sent, and sent again under the same key until it is answered. Another method would read something else in it, and do beside what the first may have done already. Request and answer themselves change as buf's rules allow.",
    language: "diff",
    bad: ` steps: {
   name: "capture"
-  call: "shop.payments.v1.PaymentService.CapturePayment"
+  call: "shop.payments.v1.PaymentService.CapturePaymentInParts"
   compensate: "shop.payments.v1.PaymentService.RefundPayment"
 }`,
    good: ` // Another method starts a saga of its own, with the other step; this one stays for those that run.
 steps: {
   name: "capture"
   call: "shop.payments.v1.PaymentService.CapturePayment"
   compensate: "shop.payments.v1.PaymentService.RefundPayment"
 }`,
    ignoring: untilNone("SAGA_SAME_CALL"),
  },
  SAGA_SAME_COMPENSATION: {
    holds: "A step is undone by the method that undid it, which finds its key in the same field.",
    why: "A compensation is tried until it succeeds, and may have been done by an attempt that was not answered. Two methods that undo one step give the same money back twice, unless each knows of the other.",
    language: "diff",
    bad: ` steps: {
   name: "capture"
   call: "shop.payments.v1.PaymentService.CapturePayment"
-  compensate: "shop.payments.v1.PaymentService.RefundPayment"
+  compensate: "shop.payments.v1.PaymentService.VoidPayment"
 }`,
    good: ` // RefundPayment itself does what VoidPayment would have.
 steps: {
   name: "capture"
   call: "shop.payments.v1.PaymentService.CapturePayment"
   compensate: "shop.payments.v1.PaymentService.RefundPayment"
 }`,
    ignoring: untilNone("SAGA_SAME_COMPENSATION"),
  },
} as const satisfies RuleEntries;
