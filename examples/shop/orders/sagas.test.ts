import { randomUUID } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { type InMemoryService, inMemory } from "@protoscaffold/runtime/testing";
import { createInventoryServiceClient } from "@shop/generated/shop/inventory/v1/inventory_client.js";
import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import {
  createPaymentServiceClient,
  type PaymentServiceClient,
} from "@shop/generated/shop/payments/v1/payments_client.js";
import { testDatabase } from "protoscaffold/testing/database";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inventory } from "../inventory/inventory.js";
import { payments } from "../payments/payments.js";
import { scaffold } from "../testing/shop.js";
import { execute } from "../testing/sql.js";
import { orders } from "./orders.js";

let urls: Record<"orders" | "inventory" | "payments", string>;
let services: InMemoryService[];
let client: ReturnType<typeof createOrderServiceClient>;
/** Whether payments refunds; otherwise it says that it is not there. */
let refunds = true;

beforeAll(async () => {
  urls = { orders: await testDatabase(), inventory: await testDatabase(), payments: await testDatabase() };
  const open = (name: keyof typeof urls) => ({
    databaseUrl: urls[name],
    migrations: new URL(`../${name}/migrations/`, import.meta.url),
  });
  const stock = await inMemory(inventory, open("inventory"));
  const bank = await inMemory(payments, open("payments"));
  const real = createPaymentServiceClient({ transport: bank.transport });
  const refundPayment: PaymentServiceClient["refundPayment"] = (...call) => {
    if (!refunds) throw new ConnectError("the bank is closed", Code.Unavailable);
    return real.refundPayment(...call);
  };
  const goods = createInventoryServiceClient({ transport: stock.transport });
  const peers = { inventory: goods, payments: { ...real, refundPayment } };
  const shop = await inMemory(orders, { ...open("orders"), peers });
  services = [shop, stock, bank];
  client = createOrderServiceClient({ transport: shop.transport });
  await goods.createProduct({ product: { id: "pen", name: "Pen", priceCents: 250n }, requestId: "pen" });
  await goods.createStock({ stock: { productId: "pen", available: 100 }, requestId: "pen" });
});

afterAll(async () => {
  for (const service of services ?? []) await service.close();
});

const place = (paymentMethod = "card", wait = true) =>
  client.placeOrder({
    requestId: randomUUID(),
    customerId: "ada",
    lines: [{ productId: "pen", quantity: 2 }],
    paymentMethod,
    wait,
  });

/** What becomes so, on a busy machine too. */
const eventually = <T>(ask: () => T | Promise<T>) => expect.poll(ask, { timeout: 30_000 });

/** `scaffold sagas …` on the database of orders. */
const sagas = async (...args: string[]) => scaffold("sagas", ...args, "--service", "orders", "--url", urls.orders);

const audit = (...args: string[]) =>
  scaffold("sagas", "audit", ...Object.entries(urls).flatMap((each) => ["--url", each.join("=")]), ...args);

test("an order is shown with what it asked and was answered, and undone by hand", async () => {
  const { id } = await place();
  const { stdout } = await sagas("show", id, "--json");
  expect(JSON.parse(stdout)).toMatchObject({
    service: "orders",
    state: "completed",
    input: { customerId: "ada" },
    steps: [
      {
        name: "reserve",
        call: "shop.inventory.v1.InventoryService/ReserveStock",
        state: "done",
        request: { requestId: `${id}/reserve`, orderId: id },
        answer: { state: "RESERVATION_STATE_RESERVED" },
      },
      { name: "capture", state: "done", request: { amountCents: "500" }, answer: { state: "PAYMENT_STATE_CAPTURED" } },
    ],
  });
  expect((await sagas("show", id)).stdout).toMatch(
    /capture: done\n {4}shop\.payments.*\/CapturePayment \{.*\n {4}-> \{/,
  );
  expect((await scaffold("sagas", "list", "orders", "--url", urls.orders)).stdout).toBe("");

  const undone = await sagas("compensate", id, "--reason", "recalled");
  expect(undone).toEqual({ code: 0, stdout: `orders: ${id} is being undone\n`, stderr: "" });
  await eventually(() => client.getOrder({ id })).toMatchObject({
    state: OrderState.CANCELLED,
    cancelReason: "recalled",
  });
  expect(await sagas("compensate", id)).toMatchObject({ code: 1, stderr: expect.stringContaining("already") });
  expect(await sagas("show", "nobody")).toMatchObject({ code: 1, stderr: expect.stringContaining("no saga nobody") });
});

test("a saga that waits need not wait any longer", async () => {
  // Nobody here walks sagas of this kind.
  await execute(
    urls.orders,
    `INSERT INTO "scaffold_sagas" ("id", "saga", "state", "input", "steps", "requests", "due_at", "deadline")
      VALUES ('waits', 'a.v1.S/M', 'running', '\\x', '{a}', '{}', now() + interval '1 hour', now() + interval '2 hours')`,
  );
  const due = async () =>
    (await execute(urls.orders, `SELECT "due_at" <= now() AS "due" FROM "scaffold_sagas" WHERE "id" = 'waits'`)).rows;
  expect(await due()).toEqual([{ due: false }]);
  expect((await sagas("retry", "waits")).stdout).toBe("orders: waits goes on\n");
  expect(await due()).toEqual([{ due: true }]);

  await execute(urls.orders, `UPDATE "scaffold_sagas" SET "misfit" = 'it has begun a' WHERE "id" = 'waits'`);
  const stuck = await sagas("list", "--state", "stuck");
  expect(stuck).toMatchObject({
    code: 100,
    stdout: expect.stringContaining("stuck, incompatible with the contract: it has begun a"),
  });
  await execute(urls.orders, `DELETE FROM "scaffold_sagas" WHERE "id" = 'waits'`);
});

test("a saga that cannot be undone is listed as stuck, and goes on all the same", async () => {
  refunds = false;
  const { id } = await place("declined", false);
  // Nobody waits for ten attempts that are seconds apart.
  await eventually(async () => {
    await execute(
      urls.orders,
      `UPDATE "scaffold_sagas" SET "due_at" = now() WHERE "ended_at" IS NULL AND "attempts" < 10`,
    );
    const { rows } = await execute(urls.orders, `SELECT "attempts" FROM "scaffold_sagas" WHERE "id" = '${id}'`);
    return rows[0].attempts;
  }).toBeGreaterThanOrEqual(10);
  const stuck = await scaffold("sagas", "list", "orders", "--url", urls.orders);
  expect(stuck.code).toBe(100);
  expect(stuck.stdout).toMatch(
    /compensating at capture, stuck, \d+ failures, the last: .*the bank is closed, for: payment/,
  );
  expect((await sagas("retry", id)).stdout).toBe(`orders: ${id} goes on\n`);
  refunds = true;
  await eventually(async () => (await client.getOrder({ id })).state).toBe(OrderState.CANCELLED);
  expect(await sagas("retry", id)).toMatchObject({ code: 1, stderr: expect.stringContaining("has ended") });
});

test("both sides are compared, and what disagrees is said", async () => {
  expect(await audit()).toMatchObject({ code: 0, stdout: "both sides agree on 2 steps of orders\n" });
  const [lost, undone, doubled, forgotten] = [await place(), await place(), await place(), await place("declined")];
  const change = (database: keyof typeof urls, sql: string) => execute(urls[database], sql);
  // As after a failover to a server that was behind.
  await change("payments", `DELETE FROM "scaffold_requests" WHERE "key" = '${lost.id}/capture'`);
  await change("inventory", `UPDATE "scaffold_requests" SET "undone_at" = now() WHERE "key" = '${undone.id}/reserve'`);
  await change("orders", `DELETE FROM "scaffold_sagas" WHERE "id" = '${doubled.id}'`);
  await change(
    "inventory",
    `UPDATE "scaffold_requests" SET "undone_at" = NULL WHERE "key" = '${forgotten.id}/reserve'`,
  );
  const { code, stdout } = await audit("--json");
  expect(code).toBe(100);
  const found = (JSON.parse(stdout) as { saga: string; step: string; message: string }[])
    .map(({ saga, step, message }) => `${saga} ${step} ${message}`)
    .sort();
  expect(found).toEqual(
    [
      `${lost.id} capture is done, and the service does not know of it`,
      `${undone.id} reserve is done, and the service has it undone`,
      `${doubled.id} reserve is done, and there is no such saga`,
      `${doubled.id} capture is done, and there is no such saga`,
      `${forgotten.id} reserve is undone, and the service has it done`,
    ].sort(),
  );
  expect((await audit()).stdout).toContain(`orders: ${lost.id}: step capture is done`);
});

test("what was removed when its time was over is not taken for lost, and what is lost since then is", async () => {
  await place();
  const forgetful = await inMemory(orders, { databaseUrl: urls.orders, sagaRetentionMs: 0 });
  await eventually(async () => (await execute(urls.orders, `SELECT "id" FROM "scaffold_sagas"`)).rows).toEqual([]);
  await forgetful.close();
  expect(await audit()).toMatchObject({ code: 0 });
  // Two hours later.
  for (const name of ["inventory", "payments"] as const) {
    await execute(urls[name], `UPDATE "scaffold_requests" SET "created_at" = "created_at" - interval '2 hours'`);
  }
  await execute(urls.orders, `UPDATE "scaffold_sagas_removed" SET "until" = "until" - interval '2 hours'`);
  expect(await audit()).toMatchObject({ code: 0 });
  const lost = await place();
  await execute(urls.orders, `DELETE FROM "scaffold_sagas" WHERE "id" = '${lost.id}'`);
  const { code, stdout } = await audit();
  expect(code).toBe(100);
  expect(stdout.trimEnd().split("\n")).toEqual(Array(2).fill(expect.stringContaining(`${lost.id}: step`)));
});
