import { setTimeout as sleep } from "node:timers/promises";
import { equals } from "@bufbuild/protobuf";
import { type Order, OrderSchema, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";

const INTERVAL_MS = 200;
/** The part of the time that looking may take, so that many watched orders slow their watchers and nobody else. */
const SHARE = 0.1;
/** How many orders are read at once. */
const PAGE = 500;

/** Reads orders as the database has them now; rejects with NOT_FOUND if one is unknown. */
export type ReadOrders = (ids: readonly string[]) => Promise<Order[]>;

/**
 * Sends each order as it is, then again after each change, until all are cancelled and no more are to come.
 *
 * @param ids which orders; may grow meanwhile, by orders that are known
 * @param growing settles when no more ids will come; a failure ends the stream
 */
export type Follow = (ids: ReadonlySet<string>, signal: AbortSignal, growing?: Promise<void>) => AsyncIterable<Order>;

/**
 * Follows orders for any number of watchers. All of them share one look into the database every 200 ms, which sees changes by every
 * instance of the service: a thousand watchers of an order cost as much as one.
 */
export function follower(read: ReadOrders): Follow {
  const watchers = new Set<Watcher>();
  let latest: ReadonlyMap<string, Order> = new Map();
  let looking = false;

  async function look(): Promise<void> {
    const ids = [...new Set([...watchers].flatMap((watcher) => [...watcher.ids]))];
    const orders = new Map<string, Order>();
    for (let start = 0; start < ids.length; start += PAGE) {
      for (const order of await read(ids.slice(start, start + PAGE))) {
        const before = latest.get(order.id);
        // What has not changed stays the same object, so that watchers compare objects alone.
        orders.set(order.id, before !== undefined && equals(OrderSchema, before, order) ? before : order);
      }
    }
    latest = orders;
    for (const watcher of watchers) watcher.show(orders);
  }

  async function keepLooking(): Promise<void> {
    looking = true;
    while (watchers.size > 0) {
      const start = performance.now();
      await look().catch((error: unknown) => {
        for (const watcher of watchers) watcher.fail(error);
      });
      const tookMs = performance.now() - start;
      await sleep(Math.max(INTERVAL_MS, tookMs / SHARE - tookMs));
    }
    latest = new Map();
    looking = false;
  }

  return async function* follow(ids, signal, growing = Promise.resolve()) {
    // An order that is unknown ends this watcher's stream, and no one else's.
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
    if (!looking) void keepLooking();
    try {
      yield* watcher.changes();
    } finally {
      signal.removeEventListener("abort", cancel);
      watchers.delete(watcher);
    }
  };
}

/** One watcher, with what it has not taken yet: the latest state of each order, however slowly it takes them. */
class Watcher {
  readonly #seen = new Map<string, Order>();
  readonly #fresh = new Map<string, Order>();
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
      this.#fresh.set(id, order);
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
      const [order] = this.#fresh.values();
      if (order !== undefined) {
        this.#fresh.delete(order.id);
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
