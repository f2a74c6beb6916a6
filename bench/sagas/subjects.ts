import { randomUUID } from "node:crypto";
import type { ServiceDefinition } from "@protoscaffold/runtime/service/define";
import type { StepSpec } from "@protoscaffold/runtime/spec/saga";
import { inMemory } from "@protoscaffold/runtime/testing";
import { createInventoryServiceClient } from "@shop/generated/shop/inventory/v1/inventory_client.js";
import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { placeOrderSaga } from "@shop/generated/shop/orders/v1/orders_saga.js";
import { orderService } from "@shop/generated/shop/orders/v1/orders_service.js";
import { createPaymentServiceClient } from "@shop/generated/shop/payments/v1/payments_client.js";
import { inventory } from "../../examples/shop/inventory/inventory.js";
import { orders } from "../../examples/shop/orders/orders.js";
import { placeOrder } from "../../examples/shop/orders/place-order.js";
import { payments } from "../../examples/shop/payments/payments.js";
import type { Subject } from "../rounds.js";

/** How many orders are under way at a time. */
export const AT_ONCE = 8;
const PRODUCTS = 64;

export interface Databases {
  readonly orders: string;
  readonly inventory: string;
  readonly payments: string;
}

/** Something that places orders until each is settled, and what it has to be rid of at the end. */
export interface Placing {
  readonly run: Subject;
  close(): Promise<void>;
}

/** The services that orders calls, with databases of their own and no network between. */
export async function openPeers({ inventory: goods, payments: money }: Databases) {
  const stock = await inMemory(inventory, { databaseUrl: goods });
  const bank = await inMemory(payments, { databaseUrl: money });
  const client = createInventoryServiceClient({ transport: stock.transport });
  for (let i = 0; i < PRODUCTS; i++) {
    await client.createProduct({ product: { id: `p${i}`, name: "Pen", priceCents: 5n }, requestId: `p${i}` });
    await client.createStock({ stock: { productId: `p${i}`, available: 1_000_000_000 }, requestId: `p${i}` });
  }
  return {
    peers: { inventory: client, payments: createPaymentServiceClient({ transport: bank.transport }) },
    async close() {
      await stock.close();
      await bank.close();
    },
  };
}

/** The shop's own PlaceOrder. */
export const bySaga = orders;

/** The same calls and the same rows, and nothing that survives a crash between them. */
export const bare: ServiceDefinition = orderService({
  handlers: (service) => ({
    async placeOrder({ customerId, lines, paymentMethod }, context) {
      const order = await service.once(context, (tx) =>
        tx.orders.create({ customerId, state: OrderState.PENDING, lines }),
      );
      const wanted = lines.map(({ productId, quantity }) => ({ productId, quantity }));
      const reserve = await service.inventory.reserveStock(
        { requestId: `${order.id}/reserve`, orderId: order.id, lines: wanted },
        context,
      );
      const amountCents = reserve.lines.reduce((sum, line) => sum + BigInt(line.quantity) * line.unitPriceCents, 0n);
      const capture = await service.payments.capturePayment(
        { requestId: `${order.id}/capture`, orderId: order.id, amountCents, paymentMethod },
        context,
      );
      const state = { id: order.id, input: undefined as never, answers: { reserve, capture } };
      await service.transaction(context, (tx) => placeOrder.complete(tx, state));
      const [settled] = await service.transaction((tx) => tx.orders.batchGet([order.id]));
      return settled ?? order;
    },
    getReceipt: () => Promise.reject(new Error("not measured")),
    cancelOrder: () => Promise.reject(new Error("not measured")),
    async *watchOrder() {},
    async *trackOrders() {},
  }),
  sagas: { placeOrder },
});

/** PlaceOrder with so many steps that cost nothing by themselves. */
export function withSteps(count: number): { definition: ServiceDefinition; peers: object } {
  const [reserve] = placeOrderSaga.steps as [StepSpec];
  const names = Array.from({ length: count }, (_, i) => `reserve${i}`);
  const answer = { id: "r", state: 1, lines: [], missingProductIds: [] };
  return {
    definition: {
      ...orders,
      spec: {
        ...orders.spec,
        sagas: {
          placeOrder: { ...placeOrderSaga, steps: names.map((name) => ({ ...reserve, name, localName: name })) },
        },
      },
      sagas: {
        placeOrder: {
          steps: Object.fromEntries(names.map((name) => [name, placeOrder.steps.reserve])) as never,
          complete: (tx, { id }: { id: string }) =>
            (tx as Parameters<typeof placeOrder.complete>[0]).orders.update(id, { state: OrderState.CONFIRMED }),
          cancel: () => Promise.reject(new Error("nothing is cancelled here")),
        },
      },
    },
    peers: { inventory: { reserveStock: async () => answer } },
  };
}

/** Places orders until each of them is settled, some at a time. */
export async function placing(definition: ServiceDefinition, databaseUrl: string, peers: object): Promise<Placing> {
  const service = await inMemory(definition, { databaseUrl, peers: peers as Record<string, unknown> });
  const client = createOrderServiceClient({ transport: service.transport });
  let next = 0;
  const one = async () => {
    const lines = [{ productId: `p${next++ % PRODUCTS}`, quantity: 1 }];
    const order = { requestId: randomUUID(), customerId: "bench", lines, paymentMethod: "card", wait: true };
    const { state } = await client.placeOrder(order);
    if (state !== OrderState.CONFIRMED) throw new Error(`an order ended ${OrderState[state]}`);
  };
  return {
    async run(count) {
      let left = count;
      const worker = async () => {
        while (left-- > 0) await one();
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
    },
    close: () => service.close(),
  };
}
