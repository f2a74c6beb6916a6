import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  GetOrderRequestSchema,
  OrderSchema,
  OrderService,
  OrderState,
} from "@shop/generated/shop/orders/v1/orders_pb.js";

export { OrderService };
export const path = `/${OrderService.typeName}/GetOrder`;
export const streamPath = `/${OrderService.typeName}/WatchOrder`;
/** How many orders a stream sends. */
export const streamed = 1_000;

/** The order that is asked for to be answered with 10 kB. */
export const bigId = "big";

/** What the handler answers: a fresh order of three lines each time. */
export function order(id: string) {
  const time = { seconds: 1_790_000_000n, nanos: 5 };
  return {
    id,
    customerId: id === bigId ? big : "customer-17",
    state: OrderState.CONFIRMED,
    lines: [1, 2, 3].map((number) => ({ productId: `product-${number}`, quantity: number, unitPriceCents: 1_999n })),
    totalCents: 11_994n,
    createTime: time,
    updateTime: time,
  };
}

const big = "x".repeat(10_000);

export const requestOf = (id: string): Uint8Array =>
  toBinary(GetOrderRequestSchema, create(GetOrderRequestSchema, { id }));
export const answerOf = (id: string): Uint8Array => toBinary(OrderSchema, create(OrderSchema, order(id) as never));
export const readRequest = (bytes: Uint8Array) => fromBinary(GetOrderRequestSchema, bytes);
export const writeRequest = (message: object) =>
  Buffer.from(toBinary(GetOrderRequestSchema, create(GetOrderRequestSchema, message)));
export const readOrder = (bytes: Uint8Array) => fromBinary(OrderSchema, bytes);
export const writeOrder = (message: object) => Buffer.from(toBinary(OrderSchema, create(OrderSchema, message)));

/** A message as gRPC sends it. */
export function framed(bytes: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}
