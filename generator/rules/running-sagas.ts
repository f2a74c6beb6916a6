import { never, type RuleEntries } from "./rule.js";

const untilNone = (rule: string) =>
  never(`sagas that run are as they were begun. Once none is left, scaffold breaking --allow ${rule} lets it pass.`);

/** Rules about changes of sagas that may run: `scaffold breaking` compares two contracts. */
export const runningSagas = {
  SAGA_NO_DELETE: {
    holds: "A method that starts a saga is not removed.",
    why: "Running sagas are found by the method's name. Without it, no process continues or compensates them. First stop calling the method, and remove it when scaffold sagas list shows none of its sagas.",
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
    holds: "A saga keeps its steps and their order; new steps come last.",
    why: "A running saga has begun its first steps and continues after them. With a step inserted before, removed, renamed or moved, it would omit a step or repeat one. Instead it waits for a version that it matches, and is compensated when its time is over.",
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
    holds: "A step keeps the method that it calls, and the field of its key.",
    why: "The request of a step is stored before it is sent, and sent again under the same key until there is a response. Another method would read it differently, and would act in addition to what the first one may have done. Request and response messages may change as buf's rules allow.",
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
    holds: "A step keeps the method that compensates it, and the field of its key.",
    why: "A compensation is attempted until it succeeds, and an attempt without a response may have taken effect. Two different methods would give the same money back twice, unless each checks for the other.",
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
