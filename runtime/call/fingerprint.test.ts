import { create } from "@bufbuild/protobuf";
import { ListValueSchema, StructSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { PlaceOrderRequestSchema } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { expect, test } from "vitest";
import { HealthListResponseSchema } from "../options/grpc/health/v1/health_pb.js";
import { fingerprint } from "./fingerprint.js";

const order = (requestId: string, customerId: string) => create(PlaceOrderRequestSchema, { requestId, customerId });

test("leaves the key out, and nothing else, and does not change the request", () => {
  const request = order("1", "ada");
  const bytes = fingerprint(PlaceOrderRequestSchema, request, { idempotencyKey: "requestId" });
  expect(bytes).toEqual(fingerprint(PlaceOrderRequestSchema, order("2", "ada"), { idempotencyKey: "requestId" }));
  expect(bytes).not.toEqual(fingerprint(PlaceOrderRequestSchema, order("1", "bob"), { idempotencyKey: "requestId" }));
  expect(request.requestId).toBe("1");
});

test("leaves out what the method ignores", () => {
  const policy = { idempotencyKey: "requestId", idempotencyIgnores: ["wait", "paymentMethod"] };
  const of = (change: object) =>
    fingerprint(PlaceOrderRequestSchema, create(PlaceOrderRequestSchema, { ...order("1", "ada"), ...change }), policy);
  expect(of({ wait: true, paymentMethod: "card" })).toEqual(of({}));
  expect(of({ customerId: "bob" })).not.toEqual(of({}));
});

test("does not depend on the order of map entries, at any depth", () => {
  const ofStatuses = (names: string[]) =>
    fingerprint(
      HealthListResponseSchema,
      create(HealthListResponseSchema, { statuses: Object.fromEntries(names.map((name) => [name, { status: 1 }])) }),
      {},
    );
  expect(ofStatuses(["a", "b", "c"])).toEqual(ofStatuses(["c", "a", "b"]));
  expect(ofStatuses(["a", "b"])).not.toEqual(ofStatuses(["a"]));

  const number = (n: number) => create(ValueSchema, { kind: { case: "numberValue", value: n } });
  const nested = (fields: Record<string, ReturnType<typeof number>>) =>
    create(ListValueSchema, {
      values: [{ kind: { case: "structValue", value: create(StructSchema, { fields: fields as never }) } } as never],
    });
  expect(fingerprint(ListValueSchema, nested({ x: number(1), y: number(2) }), {})).toEqual(
    fingerprint(ListValueSchema, nested({ y: number(2), x: number(1) }), {}),
  );
});
