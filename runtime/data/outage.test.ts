import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { productCache } from "@shop/generated/shop/inventory/v1/inventory_cache.js";
import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { expect, test } from "vitest";
import { startPostgres } from "../../generator/dev/postgres.js";
import { createTables } from "../../generator/testing/tables.js";
import { openData } from "./data.js";

test("while its server is stopped, known rows are served and everything else is UNAVAILABLE; then all goes on", async () => {
  const directory = await mkdtemp(join(tmpdir(), "scaffold-outage-"));
  // PostgreSQL runs as another user when this is root.
  await chmod(directory, 0o711);
  let server = await startPostgres({ directory: join(directory, "postgres"), fsync: false });
  const { port } = server;
  await createTables(server.url(), [productEntity.table]);
  // Rows are past their time as soon as they are there.
  const cache = { ...productCache, ttlMs: 0, staleIfErrorMs: 3_600_000 };
  const data = openData<{ products: ProductRepository }>({
    url: server.url(),
    service: "inventory",
    entities: { products: { entity: productEntity, cache } },
  });
  const { products } = data.repositories;
  try {
    await products.create({ id: "known", name: "Pen" });
    await products.create({ id: "unknown" });
    await products.get("known");

    await server.stop();
    expect((await products.get("known")).name).toBe("Pen");
    expect((await products.batchGet(["known"]))[0]?.name).toBe("Pen");
    const unavailable = { code: Code.Unavailable, rawMessage: expect.stringContaining("the database") };
    await expect(products.get("unknown")).rejects.toMatchObject(unavailable);
    await expect(products.list()).rejects.toMatchObject(unavailable);
    await expect(products.update("known", { name: "Nib" })).rejects.toMatchObject(unavailable);
    await expect(data.transaction((tx) => tx.products.get("known"))).rejects.toMatchObject(unavailable);
    await expect(data.ready()).rejects.toMatchObject(unavailable);
    expect((await products.get("known")).name).toBe("Pen");

    server = await startPostgres({ directory: join(directory, "postgres"), port, fsync: false });
    await data.ready();
    await products.update("known", { name: "Nib" });
    expect((await products.get("known")).name).toBe("Nib");
    await products.delete("known");
    expect(await products.find("known")).toBeUndefined();
  } finally {
    await data.close();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
