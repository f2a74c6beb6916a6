import { clone } from "@bufbuild/protobuf";
import { orderCache } from "@shop/generated/shop/orders/v1/orders_cache.js";
import { type Order, OrderSchema } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { type OrderRepository, orderEntity } from "@shop/generated/shop/orders/v1/orders_repository.js";
import { LRUCache } from "lru-cache";
import { openData } from "../../runtime/data/data.js";
import { type Cost, inRounds } from "../rounds.js";

export type CacheCosts = Record<"hit" | "lru", Cost[]>;

/** A hit in the repository's cache beside `lru-cache` alone; both behind an asynchronous function, as a handler has it. */
export async function measureCache(url: string, rounds: number): Promise<CacheCosts> {
  const entities = { orders: { entity: orderEntity, cache: orderCache } };
  const data = openData<{ orders: OrderRepository }>({ url, service: "bench", entities });
  const repository = data.repositories.orders;
  try {
    const ids = await firstKeys(repository);
    // What is kept is no row that the cache gave out: V8 would take those for long-lived, and no handler keeps them.
    const bare = new LRUCache<string, Order>({ max: 10_000 });
    for (const id of ids) bare.set(id, clone(OrderSchema, await repository.get(id)));
    const lru = async (id: string) => bare.get(id);
    const loop = (get: (id: string) => Promise<unknown>) => async (count: number) => {
      for (let n = 0; n < count; n++) await get(ids[n % ids.length]!);
    };
    return await inRounds({ hit: loop((id) => repository.get(id)), lru: loop(lru) }, { rounds, count: 200_000 });
  } finally {
    await data.close();
  }
}

async function firstKeys(repository: OrderRepository): Promise<string[]> {
  const { items } = await repository.list({ pageSize: 100 });
  return items.map(({ id }) => id);
}
