import { productCache } from "@shop/generated/shop/inventory/v1/inventory_cache.js";
import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { openRedis } from "../../cache/redis.js";
import { openData } from "../data.js";

/** A child process that reads and writes the same few rows at random with others; messages tell it what to do. */
const KEYS = ["a", "b", "c", "d", "e", "f"];
const [url = "", cacheUrl = "", seed = "0", operations = "0"] = process.argv.slice(2);
const data = openData<{ products: ProductRepository }>({
  url,
  shared: cacheUrl === "" ? undefined : await openRedis({ url: cacheUrl }),
  service: "random",
  entities: {
    products: {
      entity: productEntity,
      cache: { ...productCache, ttlMs: 3_600_000, staleIfErrorMs: 0 },
    },
  },
});
const { products } = data.repositories;
const random = generator(Number(seed));
const pick = () => KEYS[Math.floor(random() * KEYS.length)]!;

const steps = [
  () => products.find(pick()),
  () => products.find(pick()),
  () => products.batchGet([pick(), pick(), pick()]),
  () => products.list(),
  () => products.list({ pageSize: 2, orderBy: "id desc" }),
  () => products.create({ id: pick(), priceCents: price() }),
  () => products.update(pick(), { priceCents: price() }),
  () => products.delete(pick()),
  () =>
    data.transaction(async (tx) => {
      // Lock in one order to avoid deadlocks.
      const [first, second] = [pick(), pick()].sort() as [string, string];
      await tx.products.update(first, { priceCents: price() });
      if (random() < 0.3) throw new Error("rolled back");
      await tx.products.update(second, { priceCents: price() });
    }),
];

process.on("message", (what) => void answer(String(what)).then((result) => process.send?.(result)));
process.on("disconnect", () => process.exit());
process.send?.("ready");

async function answer(what: string): Promise<unknown> {
  if (what === "work") return work();
  if (what === "disagreements") return disagreements();
  await data.close();
  process.disconnect();
  return undefined;
}

/** Runs four steps concurrently, so that loads and writes of one process overlap, too. */
async function work(): Promise<string> {
  let left = Number(operations);
  const lane = async () => {
    while (left-- > 0) await Promise.resolve(steps[Math.floor(random() * steps.length)]!()).catch(() => undefined);
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  return "worked";
}

/** Returns the rows for which the cache and the database differ. */
async function disagreements(): Promise<string[]> {
  const differences = KEYS.map(async (key) => {
    const cached = (await products.find(key))?.priceCents;
    const actual = (await data.transaction((tx) => tx.products.find(key)))?.priceCents;
    return cached === actual ? [] : [`${key}: cached ${cached}, actual ${actual}`];
  });
  const lists = [{}, { pageSize: 2, orderBy: "id desc" }].map(async (request) => {
    const prices = ({ items }: { items: readonly { priceCents: bigint }[] }) =>
      items.map(({ priceCents }) => priceCents);
    const cached = prices(await products.list(request)).join();
    const actual = prices(await data.transaction((tx) => tx.products.list(request))).join();
    return cached === actual ? [] : [`${JSON.stringify(request)}: cached ${cached}, actual ${actual}`];
  });
  return (await Promise.all([...differences, ...lists])).flat();
}

function price(): bigint {
  return BigInt(Math.floor(random() * 1e9));
}

/** Mulberry32: the same numbers for the same seed. */
function generator(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
