import type { ConsumerContext } from "@protoscaffold/runtime/events";
import type { KnownOrder } from "@shop/generated/shop/notifications/v1/notifications_pb.js";
import type { NotificationServiceEntities } from "@shop/generated/shop/notifications/v1/notifications_service.js";
import type { OrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { sql } from "drizzle-orm";

type Context = Pick<ConsumerContext<NotificationServiceEntities>, "tx" | "call">;

/** Orders as their service answered them, each kept until an event says that it has changed. */
export class KnownOrders {
  readonly #orders: OrderServiceClient;

  constructor(orders: OrderServiceClient) {
    this.#orders = orders;
  }

  /** An order; asked for if it is not known. */
  async get(id: string, { tx, call }: Context): Promise<KnownOrder> {
    await lock(id, tx);
    const known = await tx.knownOrders.find(id);
    if (known !== undefined) return known;
    const { customerId, state, lines, totalCents, cancelReason } = await this.#orders.getOrder({ id }, call);
    const items = lines.reduce((sum, { quantity }) => sum + quantity, 0);
    return tx.knownOrders.create({ id, customerId, state, items, totalCents, cancelReason });
  }

  /** Forgets an order, for it has changed. */
  async forget(id: string, { tx }: Context): Promise<void> {
    await lock(id, tx);
    if (await tx.knownOrders.find(id)) await tx.knownOrders.delete(id);
  }
}

/**
 * Has whoever asks for an order and whoever forgets it wait for each other, until the other's transaction ends: an answer
 * that was on its way when the order changed is there to be forgotten, and does not come after.
 */
async function lock(id: string, tx: Context["tx"]): Promise<void> {
  await tx.db.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${id}, 0))`);
}
