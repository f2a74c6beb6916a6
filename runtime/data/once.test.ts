import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, createHandlerContext } from "@connectrpc/connect";
import {
  CreateProductRequestSchema,
  InventoryService,
  type ProductSchema,
} from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testDatabase } from "../../generator/testing/database.js";
import { createTables, execute } from "../../generator/testing/tables.js";
import type { KeyedContext } from "../call/context.js";
import { ConnectCall } from "../connect/connect-call.js";
import { runtimeTables } from "../service/migrations.js";
import { type Data, openData } from "./data.js";

let url: string;
let data: Data<{ products: ProductRepository }>;

beforeAll(async () => {
  url = await testDatabase();
  await createTables(url, [productEntity.table]);
  await execute(url, runtimeTables);
  data = openData({ url, service: "inventory", entities: { products: { entity: productEntity } } });
});
afterAll(() => data.close());

/** The context of a call of CreateProduct. */
function call(
  requestId: string,
  product: MessageInitShape<typeof ProductSchema> = {},
  timeoutMs?: number,
  idempotencyIgnores?: readonly string[],
): KeyedContext<typeof ProductSchema> {
  const method = InventoryService.method.createProduct;
  const transport = { service: InventoryService, method, protocolName: "grpc", requestMethod: "POST", url: "" };
  const request = create(CreateProductRequestSchema, { requestId, product });
  const policy = { idempotencyKey: "requestId", timeoutMs, ...(idempotencyIgnores && { idempotencyIgnores }) };
  const incoming = new ConnectCall(createHandlerContext(transport), method, policy, request);
  if (timeoutMs !== undefined) incoming.limit(timeoutMs);
  return incoming.context as KeyedContext<typeof ProductSchema>;
}

/** The same context, as if it were another method's. */
function ofUpdate(context: KeyedContext<typeof ProductSchema>): KeyedContext<typeof ProductSchema> {
  const { idempotencyKey, fingerprint, requestHeader } = context;
  const method = InventoryService.method.updateProduct;
  return {
    method,
    idempotencyKey,
    fingerprint,
    requestHeader,
    timeoutMs: () => context.timeoutMs(),
  } as unknown as typeof context;
}

const claims = async (key: string) =>
  (await execute(url, `SELECT * FROM "scaffold_requests" WHERE "key" = '${key}'`)).rowCount;
const products = async () => (await execute(url, `SELECT * FROM "products"`)).rowCount;

test("twenty at once have one effect and one answer", async () => {
  let runs = 0;
  const before = (await products())!;
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      data.once(call("twenty"), (tx) => {
        runs++;
        return tx.products.create({ name: "Pen", tags: ["a"], priceCents: 7n });
      }),
    ),
  );
  expect(runs).toBe(1);
  expect(await products()).toBe(before + 1);
  expect(answers).toEqual(Array(20).fill(await data.repositories.products.get(answers[0]!.id)));
});

test("a key that was kept before its method ignored a field still names the same request", async () => {
  const make = (context: KeyedContext<typeof ProductSchema>) => data.once(context, (tx) => tx.products.create({}));
  const ignoring = (product: MessageInitShape<typeof ProductSchema>) => call("older", product, undefined, ["product"]);
  const { id } = await make(call("older", { name: "a" }));
  expect((await make(ignoring({ name: "a" }))).id).toBe(id);
  await expect(make(ignoring({ name: "b" }))).rejects.toMatchObject({ code: Code.InvalidArgument });
});

test("what fails leaves nothing behind, and may be tried again", async () => {
  const before = await products();
  const failing = data.once(call("fails"), async (tx) => {
    await tx.products.create({});
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect([await claims("fails"), await products()]).toEqual([0, before]);
  expect((await data.once(call("fails"), (tx) => tx.products.create({ name: "now" }))).name).toBe("now");
});

test("whoever waits for one that fails runs in its place", async () => {
  let begun!: () => void;
  const running = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const first = data.once(call("relay"), async () => {
    begun();
    await sleep(50);
    throw new Error("no");
  });
  first.catch(() => undefined);
  await running;
  const second = data.once(call("relay"), (tx) => tx.products.create({ name: "second" }));
  await expect(first).rejects.toThrow("no");
  expect((await second).name).toBe("second");
});

test("nobody waits for another longer than its own caller waits", async () => {
  let release!: () => void;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let begun!: () => void;
  const running = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const first = data.once(call("slow"), async (tx) => {
    begun();
    await held;
    return tx.products.create({ name: "slow" });
  });
  await running;
  const second = data.once(call("slow", {}, 20), () => Promise.reject(new Error("ran twice")));
  await expect(second).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  release();
  expect((await first).name).toBe("slow");
});

test("one key stands for one request of one method", async () => {
  await data.once(call("mine", { name: "Pen" }), (tx) => tx.products.create({ name: "Pen" }));
  const other = data.once(call("mine", { name: "Ink" }), (tx) => tx.products.create({ name: "Ink" }));
  await expect(other).rejects.toMatchObject({
    code: Code.InvalidArgument,
    rawMessage: expect.stringContaining('"mine" came with another request'),
  });
  const elsewhere = ofUpdate(call("mine", { name: "Ink" }));
  expect((await data.once(elsewhere, (tx) => tx.products.create({ name: "Ink" }))).name).toBe("Ink");
});

test("without a key, every call counts", async () => {
  const before = (await products())!;
  const run = () => data.once(call(""), (tx) => tx.products.create({}));
  await run();
  await run();
  expect(await products()).toBe(before + 2);
});

test("an answer need not be a row", async () => {
  const answer = () => data.once(call("made up"), async () => ({ name: String(Math.random()) }));
  expect(await answer()).toEqual(await answer());
});

/** The context of a call of a method that undoes CreateProduct. */
function undoing(requestId: string): KeyedContext<typeof ProductSchema> {
  return ofUpdate(call(requestId));
}
const { createProduct } = InventoryService.method;

test("what was done is undone once, and cannot be done again", async () => {
  const made = await data.once(call("undone"), (tx) => tx.products.create({ name: "Pen" }));
  let runs = 0;
  const undo = () =>
    data.undo(undoing("undone"), createProduct, (tx, answer) => {
      runs++;
      return tx.products.delete(answer?.id ?? "");
    });
  const answers = await Promise.all(Array.from({ length: 10 }, undo));
  expect(runs).toBe(1);
  for (const answer of answers) expect(answer).toMatchObject({ id: made.id });
  await expect(data.repositories.products.get(made.id)).rejects.toMatchObject({ code: Code.NotFound });
  const again = data.once(call("undone"), (tx) => tx.products.create({ name: "Pen" }));
  await expect(again).rejects.toMatchObject({ code: Code.FailedPrecondition });
});

test("what is undone before it was done is refused when it comes", async () => {
  const before = await products();
  const undo = () => data.undo(undoing("early"), createProduct, async (_, answer) => ({ name: `${answer?.id}` }));
  expect((await undo()).name).toBe("undefined");
  const late = data.once(call("early", { name: "Pen" }), (tx) => tx.products.create({ name: "Pen" }));
  await expect(late).rejects.toMatchObject({
    code: Code.FailedPrecondition,
    rawMessage: expect.stringContaining('"early" was undone'),
  });
  expect((await undo()).name).toBe("undefined");
  expect(await products()).toBe(before);
});

test("whoever undoes what is being done waits for its end", async () => {
  let begun!: () => void;
  const running = new Promise<void>((resolve) => {
    begun = resolve;
  });
  let release!: () => void;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const doing = data.once(call("meets"), async (tx) => {
    begun();
    await held;
    return tx.products.create({ name: "Pen" });
  });
  await running;
  const undone = data.undo(undoing("meets"), createProduct, async (_, answer) => ({ name: answer?.name }));
  release();
  expect([(await doing).name, (await undone).name]).toEqual(["Pen", "Pen"]);
});

test("an undo that fails has undone nothing", async () => {
  await data.once(call("stays"), (tx) => tx.products.create({ name: "Pen" }));
  const failing = data.undo(undoing("stays"), createProduct, () => Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  const again = await data.once(call("stays"), (tx) => tx.products.create({ name: "Pen" }));
  expect(again.name).toBe("Pen");
  const keyless = data.undo(undoing(""), createProduct, async () => ({}));
  await expect(keyless).rejects.toMatchObject({ code: Code.InvalidArgument });
});
