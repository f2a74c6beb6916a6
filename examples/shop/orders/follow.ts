import { setTimeout as sleep } from "node:timers/promises";
import { equals } from "@bufbuild/protobuf";
import { type Order, OrderSchema, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";

const INTERVAL_MS = 200;
/** The largest share of time spent polling, so that many watched orders slow down only their watchers. */
const SHARE = 0.1;
/** The number of orders in one read. */
const PAGE = 500;

/** Reads the current orders from the database. Rejects with NOT_FOUND if one does not exist. */
export type ReadOrders = (ids: readonly string[]) => Promise<Order[]>;

/**
 * Sends each order, and sends it again after each change, until all are cancelled and no ids can be added.
 *
 * @param ids of existing orders; the caller may add to the set while the stream runs
 * @param growing resolves when no more ids will be added; a rejection ends the stream
 */
export type Follow = (ids: ReadonlySet<string>, signal: AbortSignal, growing?: Promise<void>) => AsyncIterable<Order>;

/**
 * Follows orders for any number of watchers. All watchers share one poll of the database every 200 ms, which sees changes by every
 * instance of the service: a thousand watchers of an order cost as much as one.
 */
export function follower(read: ReadOrders): Follow {
  const watchers = new Set<Watcher>();
  let latest: ReadonlyMap<string, Order> = new Map();
  let isPolling = false;

  async function poll(): Promise<void> {
    const ids = [...new Set([...watchers].flatMap((watcher) => [...watcher.ids]))];
    const orders = new Map<string, Order>();
    for (let start = 0; start < ids.length; start += PAGE) {
      for (const order of await read(ids.slice(start, start + PAGE))) {
        const before = latest.get(order.id);
        // An unchanged order stays the same object, so watchers compare only identities.
        orders.set(order.id, before !== undefined && equals(OrderSchema, before, order) ? before : order);
      }
    }
    latest = orders;
    for (const watcher of watchers) watcher.show(orders);
  }

  async function keepPolling(): Promise<void> {
    isPolling = true;
    while (watchers.size > 0) {
      const start = performance.now();
      await poll().catch((error: unknown) => {
        for (const watcher of watchers) watcher.fail(error);
      });
      const tookMs = performance.now() - start;
      await sleep(Math.max(INTERVAL_MS, tookMs / SHARE - tookMs));
    }
    latest = new Map();
    isPolling = false;
  }

  return async function* follow(ids, signal, growing = Promise.resolve()) {
    // An unknown order ends only this watcher's stream.
    if (ids.size > 0) await read([...ids]);
    const watcher = new Watcher(ids);
    watchers.add(watcher);
    const cancel = () => watcher.cancel();
    signal.addEventListener("abort", cancel);
    if (signal.aborted) cancel();
    growing.then(
      () => watcher.complete(),
      (error: unknown) => watcher.fail(error),
    );
    if (!isPolling) void keepPolling();
    try {
      yield* watcher.changes();
    } finally {
      signal.removeEventListener("abort", cancel);
      watchers.delete(watcher);
    }
  };
}

/** A watcher and the orders that it has not read yet. A slow one gets only the latest state of each order. */
class Watcher {
  readonly #seen = new Map<string, Order>();
  readonly #unread = new Map<string, Order>();
  #wake: () => void = () => {};
  #isComplete = false;
  #isCanceled = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(readonly ids: ReadonlySet<string>) {}

  show(orders: ReadonlyMap<string, Order>): void {
    for (const id of this.ids) {
      const order = orders.get(id);
      if (order === undefined || this.#seen.get(id) === order) continue;
      this.#seen.set(id, order);
      this.#unread.set(id, order);
    }
    this.#wake();
  }

  complete(): void {
    this.#isComplete = true;
    this.#wake();
  }

  cancel(): void {
    this.#isCanceled = true;
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  async *changes(): AsyncIterable<Order> {
    while (!this.#isCanceled) {
      const [order] = this.#unread.values();
      if (order !== undefined) {
        this.#unread.delete(order.id);
        yield order;
        continue;
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#isComplete && this.#isOver()) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #isOver(): boolean {
    return [...this.ids].every((id) => this.#seen.get(id)?.state === OrderState.CANCELLED);
  }
}
