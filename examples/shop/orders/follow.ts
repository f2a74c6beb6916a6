import { setTimeout as sleep } from "node:timers/promises";
import { equals } from "@bufbuild/protobuf";
import { type Order, OrderSchema, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";

const INTERVAL_MS = 200;

/**
 * Sends each order as it is, then again after each change, until all are cancelled and no more are to come.
 * It looks into the database every 200 ms, so it sees changes by every instance of the service.
 *
 * @param ids which orders; may grow meanwhile
 * @param growing settles when no more ids will come; a failure ends the stream
 */
export async function* follow(
  ids: ReadonlySet<string>,
  read: (ids: readonly string[]) => Promise<Order[]>,
  signal: AbortSignal,
  growing: Promise<void> = Promise.resolve(),
): AsyncIterable<Order> {
  const seen = new Map<string, Order>();
  let complete = false;
  let failure: unknown;
  growing.then(
    () => {
      complete = true;
    },
    (error: unknown) => {
      failure = error;
    },
  );
  while (!signal.aborted) {
    if (failure !== undefined) throw failure;
    for (const order of await read([...ids])) {
      const before = seen.get(order.id);
      if (before !== undefined && equals(OrderSchema, before, order)) continue;
      seen.set(order.id, order);
      yield order;
    }
    const over = [...ids].every((id) => seen.get(id)?.state === OrderState.CANCELLED);
    if (complete && over) return;
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}
