import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { EmptySchema, timestampNow } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError } from "@connectrpc/connect";
import {
  BatchGetProductsRequestSchema,
  CreateProductRequestSchema,
  DeleteProductRequestSchema,
  GetProductRequestSchema,
  ListProductsRequestSchema,
  ProductSchema,
  StockSchema,
  UpdateProductRequestSchema,
} from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { productEntity, stockEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { userEntity } from "@shop/generated/shop/users/v1/users_repository.js";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { testDatabase } from "../../generator/testing/database.js";
import { createTables, execute } from "../../generator/testing/tables.js";
import type { KeyedContext } from "../call/context.js";
import { BadRequestSchema } from "../options/google/rpc/error_details_pb.js";
import { runtimeTables } from "../service/migrations.js";
import { openData } from "./data.js";
import { standardHandlers } from "./standard.js";

let url: string;
let handlers: ReturnType<typeof standardHandlers>;
beforeAll(async () => {
  url = await testDatabase();
  await createTables(url, [productEntity.table, stockEntity.table, userEntity.table]);
  await execute(url, runtimeTables);
});
beforeEach(async () => {
  await execute(url, `TRUNCATE "products", "stocks", "users"`);
  const entities = {
    products: { entity: { ...productEntity, immutable: ["id", "tags"] } },
    stocks: { entity: stockEntity },
    users: { entity: userEntity },
  };
  const data = openData({ url, service: "inventory", entities });
  handlers = standardHandlers(
    {
      get: { kind: "get", entity: "products", key: "id" },
      list: { kind: "list", entity: "products", items: "products" },
      batchGet: { kind: "batchGet", entity: "products", keys: "ids", items: "products" },
      create: { kind: "create", entity: "products", resource: "product" },
      update: { kind: "update", entity: "products", resource: "product", mask: "updateMask" },
      delete: { kind: "delete", entity: "products", key: "id" },
      createStock: { kind: "create", entity: "stocks", resource: "stock" },
      updateStock: { kind: "update", entity: "stocks", resource: "stock", mask: "updateMask" },
      createUser: { kind: "create", entity: "users", resource: "user" },
    },
    data,
  );
  return () => data.close();
});

/** Calls a handler without an idempotency key. */
async function call(
  name: string,
  request: object,
  output: KeyedContext<typeof ProductSchema>["method"]["output"] = ProductSchema,
) {
  const context = { idempotencyKey: undefined, timeoutMs: () => undefined, method: { output } } as KeyedContext<
    typeof ProductSchema
  >;
  return (await handlers[name]!(request as Record<string, unknown>, context)) as Record<string, unknown>;
}

const created = (product: MessageInitShape<typeof ProductSchema>) =>
  call("create", create(CreateProductRequestSchema, { product: { name: "Pen", priceCents: 5n, ...product } }));

const update = (product: MessageInitShape<typeof ProductSchema>, ...paths: string[]) =>
  call("update", create(UpdateProductRequestSchema, { product, updateMask: { paths } }));

describe("create", () => {
  test("takes the key that the caller chose, or gives one", async () => {
    expect((await created({ id: "pen" })).id).toBe("pen");
    expect((await created({})).id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("passes over what only the service sets, and leaves the request as it was", async () => {
    const past = { ...timestampNow(), seconds: 1n };
    const request = create(CreateProductRequestSchema, { product: { id: "pen", createTime: past, updateTime: past } });
    const product = await call("create", request);
    expect(product).toMatchObject({ createTime: { seconds: expect.not.toSatisfy((s: bigint) => s === 1n) } });
    expect(request.product?.createTime).toEqual(past);
    const stock = { $typeName: StockSchema.typeName, productId: "pen", available: 1, reserved: 5 };
    expect(await call("createStock", { stock }, StockSchema)).toMatchObject({ available: 1, reserved: 0 });
  });

  test("with a key happens once, as do update and delete", async () => {
    const keyed = (name: string, request: object, output: typeof ProductSchema | typeof EmptySchema) => {
      const method = { output, name, parent: { typeName: "test.Service" } };
      const fingerprint = new Uint8Array();
      const context = { idempotencyKey: "key", method, fingerprint, timeoutMs: () => undefined };
      return handlers[name]!(
        request as Record<string, unknown>,
        context as unknown as KeyedContext<typeof ProductSchema>,
      );
    };
    const product = create(ProductSchema, { id: "pen", name: "Pen", priceCents: 5n });
    expect(await keyed("create", { product }, ProductSchema)).toEqual(
      await keyed("create", { product }, ProductSchema),
    );
    const change = { product: create(ProductSchema, { id: "pen", name: "Nib" }) };
    expect(await keyed("update", change, ProductSchema)).toEqual(await keyed("update", change, ProductSchema));
    expect(await keyed("delete", { id: "pen" }, EmptySchema)).toEqual(
      await keyed("delete", { id: "pen" }, EmptySchema),
    );
  });

  test("needs something to create", async () => {
    await expect(call("create", create(CreateProductRequestSchema))).rejects.toMatchObject({
      code: Code.InvalidArgument,
    });
  });
});

describe("reading", () => {
  test("gets one, several, and a page", async () => {
    for (const id of ["a", "b", "c"]) await created({ id });
    expect((await call("get", create(GetProductRequestSchema, { id: "b" }))).id).toBe("b");
    const batch = await call("batchGet", create(BatchGetProductsRequestSchema, { ids: ["c", "a"] }));
    expect(batch).toMatchObject({ products: [{ id: "c" }, { id: "a" }] });
    const first = await call("list", create(ListProductsRequestSchema, { pageSize: 2 }));
    expect(first).toMatchObject({ products: [{ id: "a" }, { id: "b" }] });
    const next = create(ListProductsRequestSchema, { pageSize: 2, pageToken: first.nextPageToken as string });
    expect(await call("list", next)).toEqual({ products: [expect.objectContaining({ id: "c" })], nextPageToken: "" });
  });
});

describe("delete", () => {
  test("removes a row, once", async () => {
    await created({ id: "pen" });
    const request = create(DeleteProductRequestSchema, { id: "pen" });
    expect(await call("delete", request)).toEqual({});
    await expect(call("delete", request)).rejects.toMatchObject({ code: Code.NotFound });
  });
});

describe("update", () => {
  beforeEach(() => created({ id: "pen", tags: ["a", "b"] }));

  test("changes what the mask names, also to nothing", async () => {
    const { updateTime: before } = (await call("get", { id: "pen" })) as { updateTime: { nanos: number } };
    const product = await update({ id: "pen", name: "Quill", priceCents: 9n }, "price_cents");
    expect(product).toMatchObject({ name: "Pen", priceCents: 9n });
    expect(product.updateTime).not.toEqual(before);
    expect(await call("get", { id: "pen" })).toEqual(product);
    await createStock();
    const stock = { $typeName: StockSchema.typeName, productId: "pen", available: 0, reserved: 0 };
    const updated = await call("updateStock", { stock, updateMask: { paths: ["available"] } }, StockSchema);
    expect(updated).toMatchObject({ available: 0 });
  });

  test("without a mask changes what is set", async () => {
    expect(await update({ id: "pen", name: "Quill" })).toMatchObject({
      name: "Quill",
      priceCents: 5n,
      tags: ["a", "b"],
    });
    const request = create(UpdateProductRequestSchema, { product: { id: "pen", name: "Nib" } });
    expect(await call("update", request)).toMatchObject({ name: "Nib", priceCents: 5n });
  });

  test("with * changes everything that may change", async () => {
    const product = await update({ id: "pen", name: "Quill", priceCents: 1n }, "*");
    expect(product).toMatchObject({ name: "Quill", priceCents: 1n, tags: ["a", "b"] });
  });

  test("passes over what only the service sets", async () => {
    const before = await call("get", { id: "pen" });
    const product = await update({ id: "pen", createTime: { seconds: 1n } }, "create_time");
    expect(product.createTime).toEqual(before.createTime);
  });

  test("refuses paths that are none, all of them", async () => {
    for (const path of ["priceCents", "tags.0", "nothing", ""]) {
      await expect(update({ id: "pen" }, path, "colour"), path).rejects.toMatchObject({
        code: Code.InvalidArgument,
        rawMessage: expect.stringContaining(`update_mask: names ${JSON.stringify(path)}, "colour"; it may name`),
      });
    }
  });

  test("refuses to change what cannot change, but not to name it", async () => {
    await expect(update({ id: "pen", tags: ["c"] }, "name", "tags")).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringContaining("tags: is immutable: leave it out of update_mask"),
    });
    await expect(update({ id: "pen", tags: ["c"] })).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect(await update({ id: "pen", name: "Nib", tags: ["a", "b"] }, "id", "name", "tags")).toMatchObject({
      name: "Nib",
    });
  });

  test("refuses a row that would break its rules, field by field, and leaves it as it was", async () => {
    const error = await update({ id: "pen", name: "", priceCents: -1n }, "name", "price_cents").catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: Code.InvalidArgument });
    const [{ fieldViolations } = { fieldViolations: [] }] = (error as ConnectError).findDetails(BadRequestSchema);
    expect(fieldViolations.map(({ field }) => field)).toEqual(["name", "price_cents"]);
    expect(await call("get", { id: "pen" })).toMatchObject({ name: "Pen", priceCents: 5n });
  });

  test("needs a row that exists, and its key", async () => {
    await expect(update({ id: "ink", name: "Ink" })).rejects.toMatchObject({ code: Code.NotFound });
    await expect(update({ name: "Ink" })).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "id: is missing",
    });
  });
});

const createStock = () =>
  call(
    "createStock",
    { stock: { $typeName: StockSchema.typeName, productId: "pen", available: 3, reserved: 0 } },
    StockSchema,
  );
