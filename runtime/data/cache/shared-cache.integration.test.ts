import { productCache } from "@shop/generated/shop/inventory/v1/inventory_cache.js";
import { StockSchema } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { testDatabase } from "../../../generator/testing/database.js";
import { createTables, execute } from "../../../generator/testing/tables.js";
import { openRedis } from "../../cache/redis.js";
import { type RedisServer, redisServer } from "../../cache/testing/redis-server.js";
import { runtimeTables } from "../../service/migrations.js";
import { type Data, openData } from "../data.js";
import { expectAgreement } from "../testing/writers.js";
import { shapeOf } from "./shape.js";

type Instance = Data<{ products: ProductRepository }>;

let url: string;
let redis: RedisServer;
let open: Instance[];

beforeAll(async () => {
  url = await testDatabase();
  await createTables(url, [productEntity.table]);
  await execute(url, runtimeTables);
  redis = await redisServer();
});
afterAll(() => redis?.remove());
beforeEach(async () => {
  await redis.command("FLUSHALL");
  await execute(url, `TRUNCATE "products", "scaffold_invalidations"`);
  open = [];
  return async () => {
    await Promise.all(open.map((data) => data.close()));
  };
});

async function instance(database = url): Promise<Instance> {
  const cache = { ...productCache, ttlMs: 3_600_000, staleIfErrorMs: 0 };
  const data = openData<{ products: ProductRepository }>({
    url: database,
    service: "shop",
    entities: { products: { entity: productEntity, cache } },
    shared: await openRedis({ url: redis.url }),
  });
  open.push(data);
  return data;
}

const name = async (data: Instance, id: string) => (await data.repositories.products.find(id))?.name;
const behind = (id: string, name: string) =>
  execute(url, `UPDATE "products" SET "name" = '${name}' WHERE "id" = '${id}'`);
const lines = async () => (await execute(url, `SELECT * FROM "scaffold_invalidations"`)).rowCount;
/** Waits for a fill, which nobody who reads waits for. */
const filled = (id: string) =>
  expect
    .poll(async () => {
      const [key] = (await redis.command("KEYS", `*/${id}`)) as string[];
      return key === undefined ? 0 : redis.command("HEXISTS", key, `v${shapeOf(productEntity.schema)}`);
    })
    .toBe(1);

describe("a row that one instance read", () => {
  test("is known to the next, until somebody writes it", async () => {
    const one = await instance();
    await one.repositories.products.create({ id: "1", name: "old" });
    expect(await name(one, "1")).toBe("old");
    await filled("1");
    await behind("1", "unseen");
    const other = await instance();
    expect(await name(other, "1")).toBe("old");
    await one.repositories.products.update("1", { name: "new" });
    await expect.poll(() => name(other, "1")).toBe("new");
    await expect.poll(lines).toBe(0);
  });

  test("is a miss that is remembered too, until the row is created", async () => {
    const [one, other] = [await instance(), await instance()];
    expect(await name(one, "1")).toBeUndefined();
    await filled("1");
    await one.repositories.products.create({ id: "1", name: "new" });
    await expect.poll(() => name(other, "1")).toBe("new");
  });

  test("is nothing to a service of another database, or to a value of another shape", async () => {
    const one = await instance();
    await one.repositories.products.create({ id: "1", name: "mine" });
    await name(one, "1");
    await filled("1");
    const [key] = (await redis.command("KEYS", "*/1")) as [string];
    const tier = await openRedis({ url: redis.url });
    expect(await tier.read(key, shapeOf(productEntity.schema), 0)).toHaveProperty("found");
    expect(await tier.read(key, shapeOf(StockSchema), 0)).toHaveProperty("lease");
    await tier.close();
    const elsewhere = await testDatabase();
    await createTables(elsewhere, [productEntity.table]);
    await execute(elsewhere, runtimeTables);
    expect(await name(await instance(elsewhere), "1")).toBeUndefined();
  });
});

test("an invalidation that nobody made is made by whoever comes next", async () => {
  const one = await instance();
  await one.repositories.products.create({ id: "1", name: "old" });
  await name(one, "1");
  await filled("1");
  await Promise.all(open.splice(0).map((data) => data.close()));
  // As a process leaves it that dies between its commit and all else.
  await execute(
    url,
    `UPDATE "products" SET "name" = 'new' RETURNING scaffold_invalidate('scaffold_cache', '["gone","products","1"]', 'products', "id")`,
  );
  expect(await name(await instance(), "1")).toBe("new");
  expect(await lines()).toBe(0);
});

test("a reader does not fill after an invalidation, and readers of all processes share one load", async () => {
  const [one, other] = [await openRedis({ url: redis.url }), await openRedis({ url: redis.url })];
  try {
    const bytes = new Uint8Array([1]);
    const early = await one.read("row", "s", 0);
    if (early === undefined || !("lease" in early)) throw new Error("no lease");
    const waiting = other.read("row", "s", 0);
    await one.fill("row", "s", early.lease, { bytes, freshMs: 60_000 });
    expect(await waiting).toMatchObject({ found: { bytes: Buffer.from(bytes) } });
    // Somebody else renews it meanwhile.
    const renewing = await one.read("row", "s", 3_600_000);
    expect(renewing).toHaveProperty("lease");
    expect(await other.read("row", "s", 3_600_000)).toHaveProperty("found");
    await other.invalidate(["row"]);
    await one.fill("row", "s", (renewing as { lease: string }).lease, { bytes, freshMs: 60_000 });
    expect(await other.read("row", "s", 0)).toHaveProperty("lease");
  } finally {
    await one.close();
    await other.close();
  }
});

describe("when Redis", () => {
  test("is gone, the service goes on, and nothing old is read when it is back", async () => {
    const [one, other] = [await instance(), await instance()];
    for (const id of ["1", "2"]) await one.repositories.products.create({ id, name: "old" });
    await name(one, "1");
    await filled("1");
    await redis.stop();
    await one.repositories.products.update("1", { name: "new" });
    await expect.poll(() => name(other, "1")).toBe("new");
    expect(await name(other, "2")).toBe("old");
    await redis.start();
    await expect.poll(lines, { timeout: 20_000 }).toBe(0);
    expect(await name(await instance(), "1")).toBe("new");
  });

  test("is frozen, nobody waits for it for long, and what it did not hear it hears later", async () => {
    const [one, other] = [await instance(), await instance()];
    for (const id of ["1", "2", "3", "4", "5", "6"]) await one.repositories.products.create({ id, name: "old" });
    await name(one, "1");
    await filled("1");
    redis.freeze();
    try {
      await one.repositories.products.update("1", { name: "new" });
      await expect.poll(() => name(other, "1")).toBe("new");
      for (const id of ["2", "3", "4", "5", "6"]) expect(await name(other, id)).toBe("old");
      expect(await lines()).toBeGreaterThan(0);
    } finally {
      redis.thaw();
    }
    await expect.poll(lines, { timeout: 20_000 }).toBe(0);
    expect(await name(await instance(), "1")).toBe("new");
  });

  test("is gone or frozen when a service starts, it starts, and shares rows once Redis is back", async () => {
    for (const [away, back] of [
      [redis.stop, redis.start],
      [redis.freeze, redis.thaw],
    ] as const) {
      await away();
      const one = await instance();
      const id = away === redis.stop ? "1" : "2";
      await one.repositories.products.create({ id, name: "new" });
      expect(await name(one, id)).toBe("new");
      await back();
      await expect.poll(lines, { timeout: 20_000 }).toBe(0);
      const other = await instance();
      expect(await name(other, id)).toBe("new");
      await filled(id);
    }
  });

  test("is full, what it has is read, what it lacks comes from the database, and writes still leave it", async () => {
    const one = await instance();
    for (const id of ["1", "2"]) await one.repositories.products.create({ id, name: "old" });
    await name(one, "1");
    await filled("1");
    await redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction");
    await redis.command("CONFIG", "SET", "maxmemory", "1");
    try {
      await behind("1", "unseen");
      const other = await instance();
      expect([await name(other, "1"), await name(other, "2")]).toEqual(["old", "old"]);
      await one.repositories.products.update("1", { name: "new" });
      await expect.poll(() => name(other, "1")).toBe("new");
      await expect.poll(lines).toBe(0);
    } finally {
      await redis.command("CONFIG", "SET", "maxmemory", "0");
    }
  });
});

test("random readers and writers in several processes end in agreement, though Redis freezes and is started anew", async () => {
  await expectAgreement({
    url,
    cacheUrl: redis.url,
    processes: 3,
    operations: 1500,
    async meanwhile() {
      redis.freeze();
      await execute(url, "SELECT pg_sleep(0.3)");
      redis.thaw();
      await execute(url, "SELECT pg_sleep(0.3)");
      await redis.stop();
      await redis.start();
    },
  });
});
