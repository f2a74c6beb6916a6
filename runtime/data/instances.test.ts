import { productCache } from "@shop/generated/shop/inventory/v1/inventory_cache.js";
import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { userCache } from "@shop/generated/shop/users/v1/users_cache.js";
import { type UserRepository, userEntity } from "@shop/generated/shop/users/v1/users_repository.js";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { testDatabase } from "../../generator/testing/database.js";
import { createTables, execute } from "../../generator/testing/tables.js";
import { type Data, openData } from "./data.js";
import { expectAgreement } from "./testing/writers.js";

type Instance = Data<{ products: ProductRepository }>;

let url: string;
let one: Instance;
let other: Instance;

beforeAll(async () => {
  url = await testDatabase();
  await createTables(url, [productEntity.table]);
});
beforeEach(async () => {
  await execute(url, `TRUNCATE "products"`);
  one = open();
  other = open();
  return async () => {
    await one.close();
    await other.close();
  };
});

function open(): Instance {
  const cache = { ...productCache, ttlMs: 3_600_000, staleIfErrorMs: 3_600_000 };
  return openData({ url, service: "shop", entities: { products: { entity: productEntity, cache } } });
}

const name = async (instance: Instance, id: string) => (await instance.repositories.products.find(id))?.name;
const behind = (id: string, name: string) =>
  execute(url, `UPDATE "products" SET "name" = '${name}' WHERE "id" = '${id}'`);
/** Breaks the connections on which instances hear each other. */
const deafen = () => sever("shop (cache)");

/** Breaks the connections of this name. */
async function sever(name: string): Promise<void> {
  await execute(url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '${name}'`);
}

describe("what one instance writes", () => {
  test("leaves the caches of the others: created, changed, deleted", async () => {
    expect(await name(other, "1")).toBeUndefined();
    await one.repositories.products.create({ id: "1", name: "first" });
    await expect.poll(() => name(other, "1")).toBe("first");
    await one.repositories.products.update("1", { name: "second" });
    await expect.poll(() => name(other, "1")).toBe("second");
    await one.repositories.products.delete("1");
    await expect.poll(() => name(other, "1")).toBeUndefined();
  });

  test("leaves them when its transaction commits, and only then", async () => {
    for (const id of ["1", "2", "3"]) await one.repositories.products.create({ id, name: "old" });
    for (const id of ["1", "2", "3"]) await name(other, id);
    const failing = one.transaction(async (tx) => {
      await tx.products.update("3", { name: "never" });
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    await behind("3", "unseen");
    await one.transaction(async (tx) => {
      await tx.products.update("1", { name: "new" });
      await tx.products.update("2", { name: "new" });
      expect(await name(other, "1")).toBe("old");
    });
    await expect.poll(() => name(other, "1")).toBe("new");
    expect([await name(other, "2"), await name(other, "3")]).toEqual(["new", "old"]);
  });

  test("does not cost the writer what it read since", async () => {
    await one.repositories.products.create({ id: "1", name: "old" });
    await name(other, "1");
    await one.repositories.products.update("1", { name: "new" });
    await name(one, "1");
    await behind("1", "unseen");
    // The other one has heard; the writer's own notice came by the same way.
    await expect.poll(() => name(other, "1")).toBe("unseen");
    expect(await name(one, "1")).toBe("new");
  });
});

describe("a list", () => {
  const names = async (instance: Instance, filter = "") =>
    (await instance.repositories.products.list({ filter })).items.map(({ name }) => name);

  test("answers from the cache until any instance writes to its table", async () => {
    for (const id of ["1", "2"]) await one.repositories.products.create({ id, name: id });
    // Once nothing is under way any more.
    await expect.poll(async () => (await names(other)).join()).toBe("1,2");
    await expect
      .poll(async () => {
        const [before] = await names(other);
        await behind("1", `${before}+`);
        return (await names(other))[0] === before;
      })
      .toBe(true);
    await one.repositories.products.create({ id: "3", name: "3" });
    await expect.poll(async () => (await names(other)).length).toBe(3);
    await one.transaction((tx) => tx.products.update("2", { name: "two" }));
    await expect.poll(() => names(other)).toContain("two");
    await one.repositories.products.delete("3");
    await expect.poll(async () => (await names(other)).length).toBe(2);
    expect(await names(one)).toEqual(await names(other));
  });

  test("has what its own instance wrote a moment before, and a key that is too long to be announced", async () => {
    expect(await names(one)).toEqual([]);
    await one.repositories.products.create({ id: "1", name: "mine" });
    expect(await names(one)).toEqual(["mine"]);
    expect(await names(other)).toEqual(["mine"]);
    await one.repositories.products.create({ id: "x".repeat(1001), name: "long" });
    expect(await names(one)).toEqual(["mine", "long"]);
    await expect.poll(() => names(other)).toEqual(["mine", "long"]);
  });

  test("is its own to change, and one for each thing that is asked for", async () => {
    for (const id of ["1", "2"]) await one.repositories.products.create({ id, name: id });
    const page = await one.repositories.products.list();
    page.items[0]!.name = "changed";
    page.items.pop();
    expect(await names(one)).toEqual(["1", "2"]);
    expect(await names(one, 'id = "2"')).toEqual(["2"]);
    await expect(names(one, "nothing = 1")).rejects.toThrow("nothing");
  });
});

describe("a row that is found by a unique index", () => {
  const email = "ada@example.com";
  type Users = Data<{ users: UserRepository }>;
  const openUsers = (): Users => {
    const cache = { ...userCache, ttlMs: 3_600_000, staleIfErrorMs: 0 };
    return openData({ url, service: "users", entities: { users: { entity: userEntity, cache } } });
  };
  let here: Users;
  let there: Users;
  const idBy = async (users: Users, email: string) => (await users.repositories.users.findBy({ email }))?.id;

  beforeAll(() => createTables(url, [userEntity.table]));
  beforeEach(async () => {
    await execute(url, `TRUNCATE "users"`);
    here = openUsers();
    there = openUsers();
    return async () => {
      await here.close();
      await there.close();
    };
  });

  test("is not found by what it had before, and is found by what it has now", async () => {
    expect(await idBy(there, email)).toBeUndefined();
    const { id } = await here.repositories.users.create({ email });
    // That there is none is never remembered.
    expect(await idBy(there, email)).toBe(id);
    await here.repositories.users.update(id, { email: "lovelace@example.com" });
    await expect.poll(() => idBy(there, email)).toBeUndefined();
    expect(await idBy(there, "lovelace@example.com")).toBe(id);

    // The old value goes to another row.
    const second = await here.repositories.users.create({ email });
    expect(await idBy(there, email)).toBe(second.id);
    await here.repositories.users.delete(second.id);
    await expect.poll(() => idBy(there, email)).toBeUndefined();
    expect(await here.transaction((tx) => tx.users.findBy({ email: "lovelace@example.com" }))).toMatchObject({ id });
  });

  test("answers from the cache", async () => {
    const { id } = await here.repositories.users.create({ email, displayName: "Ada" });
    await expect
      .poll(async () => {
        await idBy(here, email);
        const before = (await here.repositories.users.find(id))?.displayName;
        await execute(url, `UPDATE "users" SET "display_name" = '${before}+'`);
        return (await here.repositories.users.findBy({ email }))?.displayName === before;
      })
      .toBe(true);
  });

  test("is asked for by a whole index", async () => {
    const users = here.repositories.users as unknown as { findBy(by: object): Promise<unknown> };
    await expect(users.findBy({ displayName: "Ada" })).rejects.toThrow("has no unique index over displayName");
    await expect(users.findBy({})).rejects.toThrow("has no unique index over nothing");
  });
});

test("whoever could not hear takes nothing from before for true", async () => {
  await one.repositories.products.create({ id: "1", name: "old" });
  await name(other, "1");
  await deafen();
  await behind("1", "new");
  await expect.poll(() => name(other, "1")).toBe("new");
  // Hearing again, it caches again.
  await expect
    .poll(async () => {
      const known = await name(other, "1");
      await behind("1", `${known}+`);
      return (await name(other, "1")) === known;
    })
    .toBe(true);
});

test("a key that is too long to be announced is read from the database every time", async () => {
  const id = "x".repeat(1001);
  await one.repositories.products.create({ id, name: "old" });
  expect(await name(one, id)).toBe("old");
  await behind(id, "new");
  expect(await name(one, id)).toBe("new");
  expect((await one.repositories.products.batchGet([id]))[0]?.name).toBe("new");
  const odd = `"\u0001\ud83d\ude00`.repeat(200);
  await one.repositories.products.create({ id: odd });
  expect(await name(one, odd)).toBe("");
});

test("random readers and writers in several processes end in agreement, though their connections break", async () => {
  await expectAgreement({ url, processes: 3, operations: 400, meanwhile: () => sever("random%") });
});
