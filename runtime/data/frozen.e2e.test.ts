import { Code } from "@connectrpc/connect";
import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { expect, onTestFinished, test } from "vitest";
import { startReplicated } from "../../generator/testing/replicated.js";
import { createTables, execute } from "../../generator/testing/tables.js";
import { openData } from "./data.js";

test.runIf(process.platform === "linux")(
  "a primary that says nothing any more is given up, and gets nothing when it speaks again",
  async () => {
    const servers = await startReplicated();
    onTestFinished(() => servers.remove());
    await createTables(servers.primary.url(), [productEntity.table]);
    const data = openData<{ products: ProductRepository }>({
      url: servers.primary.url(),
      replicas: [servers.replica.url()],
      service: "shop",
      entities: { products: { entity: productEntity } },
    });
    onTestFinished(() => data.close());
    const { products } = data.repositories;
    await products.create({ id: "before" });
    await servers.caughtUp();
    await servers.freeze();
    // On the connection that is open: nothing ever says that it broke.
    const waiting = products.create({ id: "frozen" });
    await expect(waiting).rejects.toMatchObject({ code: Code.Unavailable });
    await servers.promote();
    await expect.poll(() => products.create({ id: "after" }).then(() => "", String), { timeout: 60_000 }).toBe("");
    // A connection that waited for the frozen server starts when that thaws.
    const since = `"backend_start" > '${new Date().toISOString()}'`;
    await servers.thaw();
    // It has been asked what it is, and has said that it is a primary.
    const asked = `SELECT FROM pg_stat_activity WHERE "application_name" = 'shop (watch)' AND "query" LIKE '%recovery%'`;
    await expect
      .poll(async () => (await execute(servers.primary.url(), `${asked} AND ${since}`)).rowCount, { timeout: 60_000 })
      .toBeGreaterThan(0);
    for (let n = 0; n < 30; n++) await products.create({ id: `thawed-${n}` });
    const count = async (url: string) =>
      (await execute(url, `SELECT count(*)::int AS n FROM "products" WHERE "id" LIKE 'thawed%' OR "id" = 'after'`))
        .rows;
    expect(await count(servers.primary.url())).toEqual([{ n: 0 }]);
    expect(await count(servers.replica.url())).toEqual([{ n: 31 }]);
  },
);
