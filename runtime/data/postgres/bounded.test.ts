import { Code } from "@connectrpc/connect";
import { productCache } from "@shop/generated/shop/inventory/v1/inventory_cache.js";
import { type ProductRepository, productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { testDatabase } from "../../../generator/testing/database.js";
import { createTables, execute } from "../../../generator/testing/tables.js";
import { runtimeTables } from "../../service/migrations.js";
import { type Data, openData } from "../data.js";

const MIB = 2 ** 20;
let url: string;
let data: Data<{ products: ProductRepository }>;

beforeAll(async () => {
  url = await testDatabase();
  await createTables(url, [productEntity.table]);
  await execute(url, runtimeTables);
});
beforeEach(() => execute(url, `TRUNCATE "products"`));
afterAll(() => data.close());

/** Rows whose names have so many bytes, in the order of their keys. */
async function fill(...sizes: readonly number[]): Promise<void> {
  const rows = sizes.map(
    (size, index) => `('${String(index).padStart(3, "0")}', repeat('x', ${size}), 1, '[]', now(), now(), '')`,
  );
  await execute(
    url,
    `INSERT INTO "products" (id, name, price_cents, tags, create_time, update_time, etag) VALUES ${rows.join()}`,
  );
}

describe.each([{ cached: false }, { cached: true }])("rows of many bytes, cached: $cached", ({ cached }) => {
  beforeEach(async () => {
    await data?.close();
    const products = { entity: productEntity, ...(cached && { cache: productCache }) };
    data = openData({ url, service: "inventory", entities: { products }, maxConnections: 2 });
  });

  const inside = <T>(run: (products: Pick<ProductRepository, "list" | "batchGet">) => Promise<T>) => [
    () => run(data.repositories.products),
    () => data.transaction((tx) => run(tx.products)),
  ];
  /** How many rows each page has. */
  async function pages(products: Pick<ProductRepository, "list">, request: object = {}): Promise<number[]> {
    const counts: number[] = [];
    let pageToken = "";
    do {
      const page = await products.list({ ...request, pageToken });
      counts.push(page.items.length);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return counts;
  }

  test("end a page before they are 3 MiB, and a single one is always a page", async () => {
    await fill(MIB, MIB, MIB, 5 * MIB, 10, 10, 5 * MIB, 3 * MIB - 1000);
    for (const run of inside((products) => pages(products))) expect(await run()).toEqual([2, 1, 1, 2, 1, 1]);
    for (const run of inside((products) => pages(products, { pageSize: 2, orderBy: "id desc" })))
      expect(await run()).toEqual([1, 1, 2, 1, 2, 1]);
    const all = [];
    for await (const { id } of data.repositories.products.all()) all.push(id);
    expect(all).toEqual(["000", "001", "002", "003", "004", "005", "006", "007"]);
  });

  test("are not read on when far more come than a page takes, and their connection serves others", async () => {
    await fill(...Array(16).fill(4 * MIB));
    for (const run of inside((products) => products.list())) expect((await run()).items.length).toBe(1);
    expect((await data.repositories.products.get("015")).name.length).toBe(4 * MIB);
  });

  test("are refused when they are asked for by their keys and have more than 16 MiB", async () => {
    await fill(...Array(5).fill(4 * MIB));
    const keys = ["000", "001", "002", "003", "004"];
    for (const run of inside((products) => products.batchGet(keys)))
      await expect(run()).rejects.toMatchObject({
        code: Code.ResourceExhausted,
        rawMessage: expect.stringContaining("16 MiB"),
      });
    for (const run of inside((products) => products.batchGet(keys.slice(0, 3)))) expect((await run()).length).toBe(3);
  });
});
