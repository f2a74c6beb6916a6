import { Code, ConnectError } from "@connectrpc/connect";
import { productCache } from "@shop/generated/shop/inventory/v1/inventory_cache.js";
import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { userCache } from "@shop/generated/shop/users/v1/users_cache.js";
import type { UserRepository } from "@shop/generated/shop/users/v1/users_repository.js";
import { userEntity } from "@shop/generated/shop/users/v1/users_repository.js";
import { sql } from "drizzle-orm";
import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { testDatabase } from "../../generator/testing/database.js";
import { createTables, execute } from "../../generator/testing/tables.js";
import { timedCall } from "../observe/timing.js";
import { type Data, openData } from "./data.js";
import { pageToken as writeToken } from "./rows/page-token.js";

let url: string;
let data: Data<{ users: UserRepository; products: ProductRepository }>;

beforeAll(async () => {
  url = await testDatabase();
  await createTables(url, [userEntity.table, productEntity.table]);
});
beforeEach(async () => {
  await execute(url, `TRUNCATE "users", "products"`);
  const cache = { ...productCache, ttlMs: 60_000, staleIfErrorMs: 60_000 };
  data = openData({
    url,
    service: "shop",
    entities: { users: { entity: userEntity }, products: { entity: productEntity, cache } },
  });
  return () => data.close();
});

/** Rejects with this code and a message that says so. */
function refusal(code: Code, message: string | RegExp = "") {
  const rawMessage = typeof message === "string" ? expect.stringContaining(message) : expect.stringMatching(message);
  return expect.objectContaining({ code, rawMessage });
}

/** Changes a row behind the cache's back. */
const behind = (id: string, name: string) =>
  execute(url, `UPDATE "products" SET "name" = '${name}' WHERE "id" = '${id}'`);

describe("a repository", () => {
  test("gives a row its key and its times, and answers what a read answers", async () => {
    const created = await data.repositories.users.create({ email: "a@b.c", displayName: "Ada" });
    expect(created.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(created.createTime?.seconds).toBeGreaterThan(0n);
    expect(await data.repositories.users.get(created.id)).toEqual(created);
  });

  test("changes the fields that a change has, and no others", async () => {
    const { products } = data.repositories;
    const before = await products.create({ id: "1", name: "Pen", priceCents: 5n, tags: ["a"] });
    const after = await products.update("1", { name: "", priceCents: undefined });
    expect(after).toMatchObject({ id: "1", name: "", priceCents: 5n, tags: ["a"], createTime: before.createTime });
    expect(after.updateTime).toBeDefined();
    expect(await products.get("1")).toEqual(after);
    expect(await products.update("1", {})).toEqual(after);
    await expect(products.update("1", { id: "2" })).rejects.toEqual(refusal(Code.InvalidArgument, "id of Product"));
  });

  test("says which rows do not exist", async () => {
    const { users, products } = data.repositories;
    await products.create({ id: "1" });
    expect(await products.find("x")).toBeUndefined();
    await expect(products.get("x")).rejects.toEqual(refusal(Code.NotFound, 'no Product "x"'));
    await expect(products.update("x", { name: "n" })).rejects.toEqual(refusal(Code.NotFound));
    await expect(products.delete("x")).rejects.toEqual(refusal(Code.NotFound));
    await expect(users.get("x")).rejects.toEqual(refusal(Code.NotFound));
    await expect(products.batchGet(["x", "1", "y"])).rejects.toEqual(refusal(Code.NotFound, 'no Product "x", "y"'));
  });

  test("gets many rows in the order asked for, each as often as asked for", async () => {
    const { products } = data.repositories;
    for (const id of ["1", "2", "3"]) await products.create({ id });
    await products.get("2");
    const batch = await products.batchGet(["3", "1", "2", "3"]);
    expect(batch.map(({ id }) => id)).toEqual(["3", "1", "2", "3"]);
    expect(await products.batchGet([])).toEqual([]);
  });

  test("names the fields of a unique index that is taken, and not the value", async () => {
    const { users } = data.repositories;
    await users.create({ email: "secret@b.c" });
    const error = await users.create({ email: "secret@b.c" }).catch((reason: unknown) => reason);
    expect(error).toEqual(refusal(Code.AlreadyExists, "users has a row with this email already"));
    expect((error as ConnectError).rawMessage).not.toContain("secret");
    await data.repositories.products.create({ id: "1" });
    await expect(data.repositories.products.create({ id: "1" })).rejects.toEqual(
      refusal(Code.AlreadyExists, "this id"),
    );
  });
});

test("says that all connections are in use, rather than that the database does not answer", async () => {
  const small = openData<{ products: ProductRepository }>({
    url,
    service: "inventory",
    entities: { products: { entity: productEntity } },
    maxConnections: 1,
  });
  onTestFinished(() => small.close());
  onTestFinished(() => void vi.useRealTimers());
  await small.transaction(async (tx) => {
    await tx.products.find("1");
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const refused = expect(small.repositories.products.find("1")).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: "the one connection of this service to its database stayed in use for 5 s: try again",
    });
    await vi.advanceTimersByTimeAsync(5000);
    vi.useRealTimers();
    await refused;
  });
  expect(await small.repositories.products.find("1")).toBeUndefined();
});

describe("a list", () => {
  beforeEach(async () => {
    for (const id of ["a", "b", "c", "d", "e"]) await data.repositories.products.create({ id });
  });

  test("comes in pages, each row once, also when rows come and go meanwhile", async () => {
    const { products } = data.repositories;
    const first = await products.list({ pageSize: 2 });
    await products.delete("a");
    await products.create({ id: "aa" });
    const second = await products.list({ pageSize: 2, pageToken: first.nextPageToken });
    const third = await products.list({ pageSize: 2, pageToken: second.nextPageToken });
    const ids = [first, second, third].map(({ items }) => items.map(({ id }) => id));
    expect(ids).toEqual([["a", "b"], ["c", "d"], ["e"]]);
    expect(third.nextPageToken).toBe("");
    expect((await products.list({ pageSize: 5 })).nextPageToken).toBe("");
  });

  test("refuses a page token that it did not give out, and a page size below nothing", async () => {
    const { products, users } = data.repositories;
    const { nextPageToken } = await products.list({ pageSize: 2 });
    const forged = [
      "b",
      "x".repeat(20),
      `${nextPageToken}A`,
      `${nextPageToken}=`,
      Buffer.from("b").toString("base64url"),
      // With the right checksum, and positions that no database has.
      ...["\ud83d", "\0"].map((id) => writeToken([productEntity.schema.typeName, "", "", false].join("\0"), [id])),
    ];
    for (const pageToken of forged) {
      await expect(products.list({ pageToken }), pageToken).rejects.toEqual(
        refusal(Code.InvalidArgument, "page_token"),
      );
    }
    await expect(users.list({ pageToken: nextPageToken })).rejects.toEqual(refusal(Code.InvalidArgument, "page_token"));
    await expect(products.list({ pageSize: -1 })).rejects.toEqual(refusal(Code.InvalidArgument, "page_size"));
  });

  test("has 50 rows to a page unless asked otherwise, and never more than 1,000; all of them come a page at a time", async () => {
    const { products } = data.repositories;
    await execute(
      url,
      `INSERT INTO "products" ("id", "name", "price_cents", "tags", "etag") SELECT 'n' || i, '', 0, '[]', '' FROM generate_series(1, 1100) i`,
    );
    expect((await products.list()).items).toHaveLength(50);
    expect((await products.list({ pageSize: 5000 })).items).toHaveLength(1000);
    const seen = new Set<string>();
    for await (const { id } of products.all()) seen.add(id);
    expect(seen.size).toBe(1105);
  });
});

describe("the cache", () => {
  test("answers single rows, and forgets those that are written", async () => {
    const { products } = data.repositories;
    await products.create({ id: "1", name: "first" });
    await products.get("1");
    await behind("1", "second");
    expect((await products.get("1")).name).toBe("first");
    expect((await products.batchGet(["1"]))[0]?.name).toBe("first");
    await products.update("1", { priceCents: 1n });
    expect((await products.get("1")).name).toBe("second");
    await products.delete("1");
    expect(await products.find("1")).toBeUndefined();
  });

  test("gives each reader a row of its own, however it is read", async () => {
    const { products } = data.repositories;
    await products.create({ id: "1", name: "Pen", tags: ["a"] });
    const call = { requestHeader: new Headers({ "x-server-timing": "1" }), responseHeader: new Headers() };
    const reads = [
      () => products.get("1"),
      () => products.find("1"),
      async () => (await products.batchGet(["1"]))[0],
      // One that is measured takes another way.
      () => timedCall(call, "shop", undefined, () => products.get("1")),
    ];
    const first = await products.get("1");
    const expected = structuredClone(first);
    await behind("1", "not read");
    for (const read of [async () => first, ...reads, ...reads]) {
      const row = await read();
      expect(row).toEqual(expected);
      row!.name = "spoilt";
      row!.tags.push("spoilt");
      row!.createTime!.seconds = 0n;
    }
  });

  test("keeps rows of two entities apart that have the same key", async () => {
    const entities = {
      users: { entity: userEntity, cache: userCache },
      products: { entity: productEntity, cache: productCache },
    };
    const both = openData<{ users: UserRepository; products: ProductRepository }>({ url, service: "shop", entities });
    onTestFinished(() => both.close());
    const { users, products } = both.repositories;
    await users.create({ id: "1", email: "a@b.c" });
    await products.create({ id: "1", name: "Pen" });
    for (const _ of ["miss", "hit"]) {
      expect(await users.get("1")).toMatchObject({ email: "a@b.c" });
      expect(await products.get("1")).toMatchObject({ name: "Pen" });
    }
  });

  test("holds its rows until a transaction that wrote them commits, and keeps them if it does not", async () => {
    const { products } = data.repositories;
    await products.create({ id: "1", name: "old" });
    await products.get("1");
    await data.transaction(async (tx) => {
      await tx.products.update("1", { name: "new" });
      expect((await tx.products.get("1")).name).toBe("new");
      expect((await products.get("1")).name).toBe("old");
    });
    expect((await products.get("1")).name).toBe("new");
    await behind("1", "unseen");
    const failing = data.transaction(async (tx) => {
      await tx.products.update("1", { name: "never" });
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect((await products.get("1")).name).toBe("new");
  });

  test("is told in a call's timing, as is each statement", async () => {
    const { products } = data.repositories;
    await products.create({ id: "1" });
    const call = { requestHeader: new Headers({ "x-server-timing": "1" }), responseHeader: new Headers() };
    await timedCall(call, "shop", undefined, async () => {
      await products.get("1");
      await products.get("1");
      await products.create({ id: "2" });
      await products.batchGet(["1", "2"]);
      await data.transaction((tx) => tx.products.update("1", { name: "n" }));
    });
    expect(call.responseHeader.get("server-timing")?.replaceAll(/;dur=[\d.]+/g, "")).toBe(
      [
        "shop",
        'shop.cache;desc="miss"',
        'shop.db;desc="select products"',
        'shop.cache;desc="hit"',
        'shop.db;desc="insert products"',
        'shop.cache;desc="hit 1, miss 1"',
        'shop.db;desc="select products"',
        'shop.db;desc="update products"',
        'shop.db;desc="commit"',
      ].join(", "),
    );
  });
});

describe("a transaction", () => {
  test("happens as a whole or not at all", async () => {
    const both = data.transaction(async (tx) => {
      await tx.products.create({ id: "1" });
      await tx.products.create({ id: "1" });
    });
    await expect(both).rejects.toEqual(refusal(Code.AlreadyExists));
    expect(await data.repositories.products.find("1")).toBeUndefined();
  });

  test("locks a row against others until its end", async () => {
    const { products } = data.repositories;
    await products.create({ id: "1", priceCents: 0n });
    const add = () =>
      data.transaction(async (tx) => {
        const { priceCents } = await tx.products.lock("1");
        return tx.products.update("1", { priceCents: priceCents + 1n });
      });
    await Promise.all(Array.from({ length: 25 }, add));
    expect((await products.get("1")).priceCents).toBe(25n);
    await expect(data.transaction((tx) => tx.products.lock("x"))).rejects.toEqual(refusal(Code.NotFound));
  });

  test("runs again after a deadlock, and after a serialization failure", async () => {
    const { products } = data.repositories;
    for (const id of ["1", "2"]) await products.create({ id });
    let met = 0;
    let attempts = 0;
    const both = (first: string, second: string) =>
      data.transaction(async (tx) => {
        attempts++;
        await tx.db.execute(sql`set local deadlock_timeout = '20ms'`);
        await tx.products.lock(first);
        met++;
        // Both hold one lock before either asks for the other's.
        while (met < 2) await new Promise((resolve) => setImmediate(resolve));
        await tx.products.lock(second);
        return tx.products.update(second, { name: "done" });
      });
    await Promise.all([both("1", "2"), both("2", "1")]);
    // The one that was broken off may be back before the other has its lock, and they meet again.
    expect(attempts).toBeGreaterThanOrEqual(3);

    let tries = 0;
    await data.transaction(async (tx) => {
      if (++tries < 3) await tx.db.execute(sql`do $$ begin raise exception 'again' using errcode = '40001'; end $$`);
    });
    expect(tries).toBe(3);
    const always = data.transaction((tx) =>
      tx.db.execute(sql`do $$ begin raise exception 'again' using errcode = '40001'; end $$`),
    );
    await expect(always).rejects.toEqual(refusal(Code.Aborted, "try again"));
  });

  test("passes on what its body throws", async () => {
    const mine = new ConnectError("sold out", Code.FailedPrecondition);
    await expect(data.transaction(() => Promise.reject(mine))).rejects.toBe(mine);
    await expect(data.transaction((tx) => tx.db.execute(sql`select nothing`))).rejects.toEqual(
      refusal(Code.Internal, "apply the service's migrations"),
    );
  });

  test("whose connection breaks is UNAVAILABLE, and the next one works", async () => {
    const broken = data.transaction(async (tx) => {
      const { rows } = await tx.db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
      await execute(url, `SELECT pg_terminate_backend(${rows[0]?.pid})`);
      await tx.products.create({ id: "1" });
    });
    await expect(broken).rejects.toEqual(refusal(Code.Unavailable));
    await data.transaction((tx) => tx.products.create({ id: "1" }));
  });
});
