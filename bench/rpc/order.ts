import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  GetOrderRequestSchema,
  OrderSchema,
  OrderService,
  OrderState,
} from "@shop/generated/shop/orders/v1/orders_pb.js";

export { OrderService };
export const path = `/${OrderService.typeName}/GetOrder`;

/** What the handler answers: a fresh order of three lines each time. */
export function order(id: string) {
  const time = { seconds: 1_790_000_000n, nanos: 5 };
  return {
    id,
    customerId: "customer-17",
    state: OrderState.CONFIRMED,
    lines: [1, 2, 3].map((number) => ({ productId: `product-${number}`, quantity: number, unitPriceCents: 1_999n })),
    totalCents: 11_994n,
    createTime: time,
    updateTime: time,
  };
}

export const request: Uint8Array = toBinary(GetOrderRequestSchema, create(GetOrderRequestSchema, { id: "order-1" }));
export const answer: Uint8Array = toBinary(OrderSchema, create(OrderSchema, order("order-1") as never));
export const readRequest = (bytes: Uint8Array) => fromBinary(GetOrderRequestSchema, bytes);
export const writeOrder = (message: object) => Buffer.from(toBinary(OrderSchema, create(OrderSchema, message)));

/** A message as gRPC sends it. */
export function framed(bytes: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}
