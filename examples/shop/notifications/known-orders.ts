import type { ConsumerContext } from "@protoscaffold/runtime/events";
import type { KnownOrder } from "@shop/generated/shop/notifications/v1/notifications_pb.js";
import type { NotificationServiceEntities } from "@shop/generated/shop/notifications/v1/notifications_service.js";
import type { OrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { sql } from "drizzle-orm";

type Context = Pick<ConsumerContext<NotificationServiceEntities>, "tx" | "call">;

/** Copies of orders from the orders service. Each is kept until an event says that the order has changed. */
export class KnownOrders {
  readonly #orders: OrderServiceClient;

  constructor(orders: OrderServiceClient) {
    this.#orders = orders;
  }

  /** Returns an order. Calls the orders service if there is no copy. */
  async get(id: string, { tx, call }: Context): Promise<KnownOrder> {
    await lock(id, tx);
    const known = await tx.knownOrders.find(id);
    if (known !== undefined) return known;
    const { customerId, state, lines, totalCents, cancelReason } = await this.#orders.getOrder({ id }, call);
    const items = lines.reduce((sum, { quantity }) => sum + quantity, 0);
    return tx.knownOrders.create({ id, customerId, state, items, totalCents, cancelReason });
  }

  /** Deletes the copy of an order that has changed. */
  async forget(id: string, { tx }: Context): Promise<void> {
    await lock(id, tx);
    if (await tx.knownOrders.find(id)) await tx.knownOrders.delete(id);
  }
}

/**
 * Locks an order's copy until the transaction ends, so that `get` and `forget` wait for each other: a response that was in flight when
 * the order changed is stored before `forget` deletes it, never after.
 */
async function lock(id: string, tx: Context["tx"]): Promise<void> {
  await tx.db.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${id}, 0))`);
}
