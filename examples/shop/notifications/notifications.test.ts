import type { MessageInitShape } from "@bufbuild/protobuf";
import { inMemory } from "@protoscaffold/runtime/testing";
import { createNotificationServiceClient } from "@shop/generated/shop/notifications/v1/notifications_client.js";
import { orderChanged, orderPlaced } from "@shop/generated/shop/orders/v1/orders_events.js";
import { type GetOrderRequest, type OrderSchema, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { paymentCaptured } from "@shop/generated/shop/payments/v1/payments_events.js";
import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { testDatabase } from "protoscaffold/testing/database";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { execute } from "../testing/sql.js";
import { notifications } from "./notifications.js";

/** Orders as their service has them, and which of them it was asked for. */
const orders = new Map<string, MessageInitShape<typeof OrderSchema>>();
const asked: string[] = [];
/** Holds its answers back until it is over. */
let answering: Promise<void> = Promise.resolve();

const peers = {
  orders: {
    async getOrder({ id }: GetOrderRequest) {
      const order = orders.get(id);
      asked.push(id);
      await answering;
      if (order === undefined) throw new Error("orders does not answer");
      return order;
    },
  },
};

let databaseUrl: string;
let service: Awaited<ReturnType<typeof inMemory>>;
let client: ReturnType<typeof createNotificationServiceClient>;

beforeAll(async () => {
  databaseUrl = await testDatabase();
  const migrations = new URL("./migrations/", import.meta.url);
  service = await inMemory(notifications, { databaseUrl, migrations, peers });
  client = createNotificationServiceClient({ transport: service.transport });
});
beforeEach(() => {
  asked.length = 0;
});
afterAll(() => service?.close());

/** A pending order of two things; users and orders of each test are its own. */
function place(id: string, customerId: string) {
  orders.set(id, { id, customerId, state: OrderState.PENDING, lines: [{ productId: "oak-tray", quantity: 2 }] });
}

function change(id: string, changes: MessageInitShape<typeof OrderSchema>) {
  orders.set(id, { ...orders.get(id), ...changes } as MessageInitShape<typeof OrderSchema>);
}

const told = async (userId: string) => {
  const { notifications } = await client.listNotifications({ filter: `user_id = "${userId}"` });
  return notifications.map(({ subject, text }) => [subject, text]);
};
const rows = async (table: string, where: string) =>
  (await execute(databaseUrl, `SELECT * FROM "${table}" WHERE ${where}`)).rows;

test("whoever registers is welcomed once, and by one letter", async () => {
  const ada = { userId: "ada", email: "ada@example.com", displayName: "Ada" };
  await service.deliver(userRegistered, ada, "registration");
  await service.deliver(userRegistered, ada, "registration");
  expect(await told("ada")).toEqual([["Welcome, Ada", "You are registered as ada@example.com."]]);
  expect(await rows("letters", `"email" = 'ada@example.com'`)).toMatchObject([
    { id: "registration", subject: "Welcome, Ada" },
  ]);
});

test("a letter that went out before the commit failed is not sent again", async () => {
  await execute(
    databaseUrl,
    `CREATE SEQUENCE "commits";
     CREATE FUNCTION "fail_once"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF nextval('commits') = 1 THEN RAISE EXCEPTION 'this commit fails'; END IF;
       RETURN NULL;
     END $$;
     CREATE CONSTRAINT TRIGGER "fail_once" AFTER INSERT ON "notifications" DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW WHEN (NEW."user_id" = 'grace') EXECUTE FUNCTION "fail_once"()`,
  );
  await service.deliver(userRegistered, { userId: "grace", email: "grace@example.com", displayName: "Grace" }, "late");
  expect(await told("grace")).toEqual([]);
  expect(await rows("letters", `"email" = 'grace@example.com'`)).toHaveLength(1);
  await expect.poll(() => told("grace"), { timeout: 30_000 }).toHaveLength(1);
  expect(await rows("letters", `"email" = 'grace@example.com'`)).toMatchObject([{ id: "late" }]);
});

test("an order's customer is told of each step once, and orders is asked only for what is not known", async () => {
  place("order-1", "linus");
  const lines = [{ productId: "oak-tray", quantity: 2 }];
  const placed = { orderId: "order-1", customerId: "linus", lines };
  const captured = { orderId: "order-1", paymentId: "payment-1", amountCents: 7800n };
  for (let time = 0; time < 2; time++) {
    await service.deliver(orderPlaced, placed, "1/placed");
    await service.deliver(paymentCaptured, captured, "1/captured");
  }
  expect(await told("linus")).toEqual([
    ["We have your order", "2 things, order order-1."],
    ["Your payment has arrived", "€78.00 for 2 things, order order-1."],
  ]);
  // Another payment for it, and orders need not be asked.
  await service.deliver(paymentCaptured, { ...captured, amountCents: 100n }, "1/tip");
  expect(asked).toEqual(["order-1"]);

  change("order-1", { state: OrderState.CONFIRMED, totalCents: 7800n });
  for (let time = 0; time < 2; time++) {
    await service.deliver(orderChanged, { orderId: "order-1", state: OrderState.CONFIRMED }, "1/confirmed");
  }
  change("order-1", { state: OrderState.CANCELLED, cancelReason: "cancelled by the customer" });
  await service.deliver(orderChanged, { orderId: "order-1", state: OrderState.CANCELLED }, "1/cancelled");
  expect((await told("linus")).slice(3)).toEqual([
    ["Your order is confirmed", "2 things for €78.00, order order-1."],
    ["Your order is cancelled", "Order order-1: cancelled by the customer."],
  ]);
  expect(asked).toEqual(["order-1", "order-1", "order-1"]);
});

test("an order that was on its way here when it changed is not kept", async () => {
  place("order-2", "barbara");
  let answer: () => void = () => undefined;
  answering = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const capturing = service.deliver(paymentCaptured, { orderId: "order-2", amountCents: 7800n });
  await expect.poll(() => asked).toEqual(["order-2"]);
  change("order-2", { state: OrderState.CONFIRMED, totalCents: 7800n });
  const changing = service.deliver(orderChanged, { orderId: "order-2", state: OrderState.CONFIRMED });
  answer();
  await Promise.all([capturing, changing]);
  expect(await rows("known_orders", `"id" = 'order-2'`)).toMatchObject([
    { state: OrderState.CONFIRMED, total_cents: "7800" },
  ]);
});

test("an answer older than the event that asked for it is neither told nor kept", async () => {
  place("order-3", "edsger");
  await service.deliver(orderChanged, { orderId: "order-3", state: OrderState.CONFIRMED });
  expect(await told("edsger")).toEqual([]);
  expect(await rows("known_orders", `"id" = 'order-3'`)).toEqual([]);
  change("order-3", { state: OrderState.CONFIRMED, totalCents: 7800n });
  await expect.poll(() => told("edsger"), { timeout: 30_000 }).toHaveLength(1);
});

test("while orders is away its events wait, and others do not", async () => {
  await service.deliver(paymentCaptured, { orderId: "order-4", amountCents: 100n });
  await service.deliver(orderPlaced, { orderId: "order-4", customerId: "donald", lines: [] });
  expect(await told("donald")).toEqual([["We have your order", "0 things, order order-4."]]);
  place("order-4", "donald");
  await expect.poll(() => told("donald"), { timeout: 30_000 }).toHaveLength(2);
});
