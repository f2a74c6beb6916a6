import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { type UserRegisteredSchema, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { sql } from "drizzle-orm";
import pg from "pg";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { testDatabase } from "../../../generator/testing/database.js";
import { createTables, execute } from "../../../generator/testing/tables.js";
import { openPublishing } from "../../events/outbox.js";
import { runtimeTables } from "../../service/migrations.js";
import type { Data } from "../data.js";

let url: string;
let data: Data<{ products: ProductRepository }, typeof UserRegisteredSchema>;

beforeAll(async () => {
  url = await testDatabase();
  await createTables(url, [productEntity.table]);
  await execute(url, runtimeTables);
});
beforeEach(() => execute(url, `TRUNCATE "products", "scaffold_outbox"`));
afterEach(() => data.close());

function open(options: { readonly prepares: boolean; readonly maxConnections: number }) {
  const entities = { products: { entity: productEntity } };
  const opened = openPublishing(UserService.typeName, { url, service: "test", entities, ...options });
  return opened.data as unknown as typeof data;
}

const event = (userId: string) => ({ userId, email: "a@b.c" });

/** The keys of what was published, in its order. */
async function published(): Promise<string[]> {
  const { rows } = await data.db.execute(sql`SELECT "key" FROM "scaffold_outbox" ORDER BY "id"`);
  return rows.map(({ key }) => key as string);
}

describe.each([{ prepares: false }, { prepares: true }])("a database with prepares: $prepares", ({ prepares }) => {
  // One connection, so that whatever a transaction leaves behind is the next one's.
  beforeEach(() => {
    data = open({ prepares, maxConnections: 1 });
  });

  test("what a transaction publishes is there once it is committed, in its order", async () => {
    await data.transaction(async (tx) => {
      await tx.publish(userRegistered, event("a"));
      await tx.publish(userRegistered, event("b"));
      const { rows } = await tx.db.execute(sql`SELECT "key" FROM "scaffold_outbox" ORDER BY "id"`);
      expect(rows.map(({ key }) => key)).toEqual(["a", "b"]);
      await tx.publish(userRegistered, event("c"));
    });
    expect(await published()).toEqual(["a", "b", "c"]);
  });

  test("what was published after a savepoint goes with it", async () => {
    await data.transaction(async (tx) => {
      await tx.publish(userRegistered, event("a"));
      const part = tx.db.transaction(async () => {
        await tx.publish(userRegistered, event("b"));
        throw new Error("no");
      });
      await expect(part).rejects.toThrow("no");
      await tx.publish(userRegistered, event("c"));
    });
    expect(await published()).toEqual(["a", "c"]);
  });

  test("an event that the database does not take has nothing committed, and the connection is as good as before", async () => {
    const refused = data.transaction(async (tx) => {
      await tx.products.create({ id: "1", name: "Pen", priceCents: 1n });
      await tx.publish(userRegistered, event("a\0"));
      await tx.publish(userRegistered, event("b"));
    });
    await expect(refused).rejects.toThrow("U+0000");
    expect(await data.repositories.products.find("1")).toBeUndefined();
    const half = data.transaction((tx) => tx.publish(userRegistered, event("a\ud83d")));
    await expect(half).rejects.toThrow("has a lone surrogate");
    await data.transaction((tx) => tx.publish(userRegistered, event("c")));
    expect(await published()).toEqual(["c"]);
  });

  test("a statement's error is its own, whatever went with it", async () => {
    await data.repositories.products.create({ id: "1", name: "Pen", priceCents: 1n });
    const refused = data.transaction(async (tx) => {
      await tx.publish(userRegistered, event("a"));
      await tx.products.create({ id: "1", name: "Pen", priceCents: 1n });
    });
    await expect(refused).rejects.toThrow("already");
    expect(await published()).toEqual([]);
  });

  test("a transaction whose statement failed is not taken for committed, though its error was caught", async () => {
    await data.repositories.products.create({ id: "1", name: "Pen", priceCents: 1n });
    const lost = data.transaction(async (tx) => {
      await tx.products.create({ id: "2", name: "Pen", priceCents: 1n });
      await tx.products.create({ id: "1", name: "Pen", priceCents: 1n }).catch(() => undefined);
    });
    await expect(lost).rejects.toThrow("rolled back");
    expect(await data.repositories.products.find("2")).toBeUndefined();
  });

  test("a transaction that asks nothing of the database begins none", async () => {
    const watcher = new pg.Client({ connectionString: url });
    await watcher.connect();
    try {
      await data.ready();
      await data.transaction(async () => {
        const { rows } = await watcher.query(
          `SELECT count(*)::integer AS "open" FROM pg_stat_activity WHERE application_name = 'test' AND xact_start IS NOT NULL`,
        );
        expect(rows[0].open).toBe(0);
      });
    } finally {
      await watcher.end();
    }
  });
});

test("what is always the same is prepared once for each connection, and nothing unless that is asked for", async () => {
  const prepared = async () => {
    const { rows } = await data.db.execute(
      sql`SELECT "statement" FROM pg_prepared_statements WHERE "from_sql" = false`,
    );
    return rows.map(({ statement }) => (statement as string).slice(0, 22)).sort();
  };
  const write = (key: string) =>
    data.transaction(async (tx) => {
      await tx.products.create({ name: "Pen", priceCents: 1n });
      await tx.publish(userRegistered, event(key));
    });
  data = open({ prepares: true, maxConnections: 1 });
  await write("a");
  await write("b");
  await data.repositories.products.create({ name: "Pen", priceCents: 1n });
  const all = ['INSERT INTO "scaffold_', "begin", "commit", 'insert into "products"'];
  expect(await prepared()).toEqual(all);
  await data.close();
  data = open({ prepares: false, maxConnections: 1 });
  await write("c");
  expect(await prepared()).toEqual([]);
});

test("a column that changes its type costs no call, whatever connections have prepared", async () => {
  data = open({ prepares: true, maxConnections: 4 });
  const create = () => data.repositories.products.create({ name: "Pen", priceCents: 1n });
  const createIn = () => data.transaction((tx) => tx.products.create({ name: "Pen", priceCents: 1n }));
  const atOnce = (write: () => Promise<{ priceCents: bigint }>) => Promise.all(Array.from({ length: 8 }, write));
  const alter = (type: string) => execute(url, `ALTER TABLE "products" ALTER "price_cents" TYPE ${type}`);
  try {
    for (const write of [create, createIn]) {
      await atOnce(write);
      await alter("numeric");
      expect((await atOnce(write)).map(({ priceCents }) => priceCents)).toEqual(Array(8).fill(1n));
      await alter("bigint");
      await atOnce(write);
    }
  } finally {
    await alter("bigint");
  }
});
