import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { orderServiceCodecs } from "@shop/generated/shop/orders/v1/orders_codec.js";
import { know } from "../../runtime/codec/known.js";
import { createNativeTransport } from "../../runtime/grpc/client-transport.js";
import { OrderService, path, readOrder, readRequest, writeOrder, writeRequest } from "./order.js";

/** What grpc-js wants to know of a method. */
export const getOrder = {
  path,
  requestStream: false as const,
  responseStream: false as const,
  requestSerialize: writeRequest,
  requestDeserialize: readRequest,
  responseSerialize: writeOrder,
  responseDeserialize: readOrder,
};

export type GetOrder = (id: string) => Promise<object>;

/** The clients of the comparison, each on one connection. */
export const clients: Readonly<Record<string, (port: number) => GetOrder>> = {
  own: (port) => over(createNativeTransport(`http://127.0.0.1:${port}`)),
  "connect-node": (port) => over(createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` })),
  "grpc-js": (port) => {
    const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    const { requestSerialize, responseDeserialize } = getOrder;
    return (id) =>
      new Promise((resolve, reject) =>
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { id }, (error, order) =>
          error ? reject(error) : resolve(order as object),
        ),
      );
  },
};

function over(transport: Transport): GetOrder {
  know(orderServiceCodecs);
  const orders = createClient(OrderService, transport);
  return (id) => orders.getOrder({ id });
}
