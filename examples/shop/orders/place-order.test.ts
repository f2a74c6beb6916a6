import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { type InMemoryService, inMemory } from "@protoscaffold/runtime/testing";
import { createInventoryServiceClient } from "@shop/generated/shop/inventory/v1/inventory_client.js";
import { InventoryService } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { type Order, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { PaymentService } from "@shop/generated/shop/payments/v1/payments_pb.js";
import { testDatabase } from "protoscaffold/testing/database";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { inventory } from "../inventory/inventory.js";
import { payments } from "../payments/payments.js";
import { type Fault, type Faulty, faulty } from "../testing/faults.js";
import { buildServices, type ServiceProcess, startService } from "../testing/process.js";
import { until } from "../testing/shop.js";
import { execute } from "../testing/sql.js";

const STOCK = 1000;
const PRICE_CENTS = 250n;

let dist: string;
let databases: { orders: string; inventory: string; payments: string };
let services: InMemoryService[];
/** Inventory and payments, with a network before them that can fail. */
let broker: string;
let stock: Faulty;
let bank: Faulty;
/** Two instances of orders: one is called and killed, the other one has to go on. */
let called: ServiceProcess;
let other: Promise<ServiceProcess>;

beforeAll(async () => {
  dist = await buildServices();
  databases = { orders: await testDatabase(), inventory: await testDatabase(), payments: await testDatabase() };
  broker = await testDatabase();
  const migrations = (name: string) => new URL(`../${name}/migrations/`, import.meta.url);
  services = await Promise.all([
    inMemory(inventory, { databaseUrl: databases.inventory, migrations: migrations("inventory") }),
    inMemory(payments, { databaseUrl: databases.payments, migrations: migrations("payments") }),
  ]);
  const [first, second] = services as [InMemoryService, InMemoryService];
  stock = await faulty(InventoryService, first.transport);
  bank = await faulty(PaymentService, second.transport);
  const client = createInventoryServiceClient({ transport: first.transport });
  await client.createProduct({ product: { id: "pen", name: "Pen", priceCents: PRICE_CENTS }, requestId: "pen" });
  await client.createStock({ stock: { productId: "pen", available: STOCK }, requestId: "pen" });
  called = await start();
  other = start();
});

afterAll(async () => {
  await called?.kill();
  await (await other)?.kill();
  await stock?.close();
  await bank?.close();
  for (const service of services ?? []) await service.close();
  if (dist !== undefined) await rm(dist, { recursive: true, force: true });
});

afterEach(() => {
  stock.fault = undefined;
  bank.fault = undefined;
});

function start(): Promise<ServiceProcess> {
  return startService(dist, "orders", {
    DATABASE_URL: databases.orders,
    BROKER_URL: broker,
    INVENTORY_URL: stock.address,
    PAYMENTS_URL: bank.address,
    // What waits for a dead process waits no longer than this.
    SAGA_LEASE_MS: "300",
    LOG_LEVEL: "info",
  });
}

const orderOf = (paymentMethod: string) => ({
  requestId: randomUUID(),
  customerId: "ada",
  lines: [{ productId: "pen", quantity: 2 }],
  paymentMethod,
});

/** Kills the instance that was called; the other one is called from then on, and has a new one beside it. */
async function kill(): Promise<void> {
  const dying = called;
  called = await other;
  other = start();
  await dying.kill();
}

/** Follows an order to its end, on the instance that is there. */
async function end(id: string): Promise<Order> {
  const client = createOrderServiceClient({ baseUrl: called.address });
  let order = await client.getOrder({ id });
  await until(`order ${id} has ended`, async () => {
    order = await client.getOrder({ id });
    return order.state !== OrderState.PENDING;
  });
  return order;
}

const rows = async (service: keyof typeof databases, sql: string) => (await execute(databases[service], sql)).rows;

/** Checks both sides of an order, and that no goods and no money are lost or doubled in all. */
async function expectSound(id: string, state: OrderState): Promise<void> {
  const order = await end(id);
  expect(order.state).toBe(state);
  const confirmed = state === OrderState.CONFIRMED;
  const reservations = await rows("inventory", `SELECT "state" FROM "reservations" WHERE "order_id" = '${id}'`);
  const paid = await rows("payments", `SELECT "state", "amount_cents" FROM "payments" WHERE "order_id" = '${id}'`);
  expect(reservations).toEqual(confirmed ? [{ state: 1 }] : reservations.length === 0 ? [] : [{ state: 3 }]);
  expect(paid.length).toBeLessThanOrEqual(1);
  if (confirmed) expect(paid).toEqual([{ state: 1, amount_cents: String(order.totalCents) }]);
  else expect(paid.filter((payment) => payment.state === 1)).toEqual([]);

  const [{ sold }] = await rows("orders", `SELECT count(*)::int * 2 AS "sold" FROM "orders" WHERE "state" = 2`);
  const [count] = await rows("inventory", `SELECT "available", "reserved" FROM "stocks"`);
  expect(count).toEqual({ available: STOCK - sold, reserved: sold });
  const [{ cents }] = await rows(
    "payments",
    `SELECT coalesce(sum("amount_cents"), 0)::int AS "cents" FROM "payments" WHERE "state" = 1`,
  );
  expect(cents).toBe(sold * Number(PRICE_CENTS));
}

const place = async (paymentMethod: string) =>
  (await createOrderServiceClient({ baseUrl: called.address }).placeOrder(orderOf(paymentMethod))).id;

/** A network that does something once, to the first call of a method. */
function once(method: string, when: "before" | "answered" | "after", act: () => unknown): Fault {
  let done = false;
  const run = async () => {
    if (done) return;
    done = true;
    await act();
  };
  return { method, [when]: run };
}

const lost = () => new Promise<never>(() => undefined);
const isStock = (method: string) => InventoryService.methods.some(({ name }) => name === method);
const setFault = (fault: Fault) => {
  (isStock(fault.method) ? stock : bank).fault = fault;
};

test("an order is PENDING at once, and CONFIRMED then", async () => {
  const client = createOrderServiceClient({ baseUrl: called.address });
  const order = await client.placeOrder(orderOf("card"));
  expect(order.state).toBe(OrderState.PENDING);
  await expectSound(order.id, OrderState.CONFIRMED);
});

test("whoever waits is answered with the end", async () => {
  const client = createOrderServiceClient({ baseUrl: called.address });
  const confirmed = await client.placeOrder({ ...orderOf("card"), wait: true });
  expect(confirmed).toMatchObject({ state: OrderState.CONFIRMED, totalCents: 2n * PRICE_CENTS });
  const cancelled = await client.placeOrder({ ...orderOf("declined"), wait: true });
  expect(cancelled).toMatchObject({ state: OrderState.CANCELLED, cancelReason: "payment declined" });
  await expectSound(cancelled.id, OrderState.CANCELLED);
});

describe("the process is killed", () => {
  test("as soon as it has answered that the order is PENDING", async () => {
    stock.fault = { method: "ReserveStock", before: lost };
    const id = await place("card");
    await kill();
    stock.fault = undefined;
    await expectSound(id, OrderState.CONFIRMED);
  });

  const ways = [
    ["card", "ReserveStock", OrderState.CONFIRMED],
    ["card", "CapturePayment", OrderState.CONFIRMED],
    ["declined", "CapturePayment", OrderState.CANCELLED],
    ["declined", "RefundPayment", OrderState.CANCELLED],
    ["declined", "ReleaseStock", OrderState.CANCELLED],
  ] as const;
  const moments = [
    ["before it is seen", "before"],
    ["before its answer arrives", "answered"],
    ["when its answer arrives", "after"],
  ] as const;

  describe.each(ways)("with payment by %s, at %s", (paymentMethod, method, state) => {
    test.each(moments)("%s", async (_, when) => {
      const killed = new Promise<void>((resolve, reject) => {
        const act = async () => {
          await kill().then(resolve, reject);
          // Whoever waited for it is dead.
          if (when !== "after") await lost();
        };
        setFault(once(method, when, act));
      });
      const id = await place(paymentMethod);
      await killed;
      await expectSound(id, state);
    });
  });
});

describe("an answer comes after its time", () => {
  /** Holds calls back until the caller has given up and asks again. */
  const held = (method: string, when: "before" | "answered") => {
    const service = isStock(method) ? stock : bank;
    return once(method, when, () => {
      const before = service.calls.length;
      return until(`${method} is asked again`, () => service.calls.slice(before).includes(method));
    });
  };

  test.each([
    ["card", "ReserveStock", OrderState.CONFIRMED],
    ["card", "CapturePayment", OrderState.CONFIRMED],
    ["declined", "RefundPayment", OrderState.CANCELLED],
    ["declined", "ReleaseStock", OrderState.CANCELLED],
  ] as const)("with payment by %s, from %s: it is asked again, with the same key", async (method, name, state) => {
    for (const when of ["before", "answered"] as const) {
      setFault(held(name, when));
      await expectSound(await place(method), state);
    }
  });

  test("a step that arrives after it was undone is refused", async () => {
    let release = () => {};
    const freed = new Promise<void>((resolve) => {
      release = resolve;
    });
    let arrived = () => {};
    const seen = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    bank.fault = {
      method: "CapturePayment",
      before() {
        arrived();
        return freed;
      },
    };
    const id = await place("card");
    await seen;
    const client = createOrderServiceClient({ baseUrl: called.address });
    const cancelled = await client.cancelOrder({ id });
    expect(cancelled).toMatchObject({ state: OrderState.CANCELLED, cancelReason: "cancelled by the customer" });
    release();
    await until("the late step has been answered", () => bank.refusals.includes("CapturePayment"));
    await expectSound(id, OrderState.CANCELLED);
    const [{ undone_at, answer }] = await rows(
      "payments",
      `SELECT "undone_at", "answer" FROM "scaffold_requests" WHERE "key" = '${id}/capture' AND "method" LIKE '%/CapturePayment'`,
    );
    expect([undone_at, answer]).toEqual([expect.any(Date), null]);
  });
});
