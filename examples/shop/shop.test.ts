import { randomUUID } from "node:crypto";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { InventoryService } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { OrderService, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Shop, startShop, until } from "./testing/shop.js";

let shop: Shop;

beforeAll(async () => {
  shop = await startShop();
}, 120_000);

afterAll(async () => {
  // The last test has stopped it.
  if (shop?.supervisor.exitCode === null && shop.supervisor.signalCode === null) await shop.stop();
});

/** @param enough leaves a stream of answers once it has said this */
const rest = async (method: string, path: string, body?: unknown, enough?: string) => {
  const response = await fetch(`${shop.address}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : {
          headers: { "content-type": "application/json" },
          body: typeof body === "string" ? body : JSON.stringify(body),
        }),
  });
  let text = "";
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    if (enough !== undefined && text.includes(enough)) break;
  }
  return { status: response.status, headers: response.headers, text };
};

const json = async (method: string, path: string, body?: unknown) => {
  const { status, text } = await rest(method, path, body);
  return { status, body: JSON.parse(text) };
};

const orderOf = (productId: string, quantity = 1, paymentMethod = "card") => ({
  requestId: randomUUID(),
  customerId: "somebody",
  lines: [{ productId, quantity }],
  paymentMethod,
  wait: true,
});

const stockOf = async (productId: string) => (await json("GET", `/v1/stocks/${productId}`)).body;

const failure = async (call: Promise<unknown>) => {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => ConnectError.from(reason),
  );
  expect(error, "the call should have failed").toBeDefined();
  return error as ConnectError;
};

describe("over REST", () => {
  test("a customer's orders are listed, newest first", async () => {
    const customerId = randomUUID();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) {
      ids.unshift((await json("POST", "/v1/orders", { ...orderOf("oak-tray"), customerId })).body.id);
    }
    const query = new URLSearchParams({
      filter: `customer_id = "${customerId}"`,
      order_by: "create_time desc",
      page_size: "2",
    });
    const first = (await json("GET", `/v1/orders?${query}`)).body;
    query.set("page_token", first.nextPageToken);
    const second = (await json("GET", `/v1/orders?${query}`)).body;
    expect([...first.orders, ...second.orders].map(({ id }) => id)).toEqual(ids);
    expect(second.nextPageToken).toBe("");
    const other = await json("GET", "/v1/orders?filter=total_cents%20%3E%201");
    expect(other).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining("it may compare id, customer_id") },
    });
  });

  test("a product that somebody else has changed is not changed unseen", async () => {
    const before = (await json("GET", "/v1/products/oak-tray")).body;
    const change = { tags: ["wood", "tray"], etag: before.etag };
    const after = (await json("PATCH", "/v1/products/oak-tray", change)).body;
    expect(after.etag).not.toBe(before.etag);
    expect(await json("PATCH", "/v1/products/oak-tray", change)).toMatchObject({ status: 409 });
    // Its stock is counted.
    expect(await json("DELETE", "/v1/products/oak-tray")).toMatchObject({ status: 400, body: { code: 9 } });
  });

  test("an order goes its whole way", async () => {
    const before = await stockOf("oak-tray");
    const placed = await json("POST", "/v1/orders", orderOf("oak-tray", 2));
    expect(placed).toMatchObject({ status: 200, body: { state: "ORDER_STATE_CONFIRMED", totalCents: "7800" } });
    expect(await stockOf("oak-tray")).toMatchObject({ available: before.available - 2, reserved: before.reserved + 2 });

    const { id } = placed.body;
    expect((await json("GET", `/v1/orders/${id}`)).body).toEqual(placed.body);
    expect((await json("GET", `/v1/orders/${id}/receipt`)).body).toMatchObject({
      order: { id },
      payment: { orderId: id, amountCents: "7800", state: "PAYMENT_STATE_CAPTURED" },
    });

    const cancelled = await json("POST", `/v1/orders/${id}:cancel`, {});
    expect(cancelled.body).toMatchObject({
      id,
      state: "ORDER_STATE_CANCELLED",
      cancelReason: "cancelled by the customer",
    });
    expect((await json("POST", `/v1/orders/${id}:cancel`, {})).body).toEqual(cancelled.body);
    expect((await json("GET", `/v1/orders/${id}/receipt`)).body.payment.state).toBe("PAYMENT_STATE_REFUNDED");
    expect(await stockOf("oak-tray")).toEqual(before);
  });

  test("the same request twice is one order, one reservation, one payment", async () => {
    const before = await stockOf("desk-lamp");
    const order = orderOf("desk-lamp");
    const [first, ...others] = await Promise.all(Array.from({ length: 5 }, () => json("POST", "/v1/orders", order)));
    for (const other of others) expect(other).toEqual(first);
    expect(await json("POST", "/v1/orders", order)).toEqual(first);
    expect(await stockOf("desk-lamp")).toMatchObject({
      available: before.available - 1,
      reserved: before.reserved + 1,
    });
    const ofThisOrder = `order_id = '${first!.body.id}'`;
    expect(await shop.count("inventory", "reservations", ofThisOrder)).toBe(1);
    expect(await shop.count("payments", "payments", ofThisOrder)).toBe(1);
    expect(await json("POST", "/v1/orders", { ...order, customerId: "somebody else" })).toMatchObject({ status: 400 });
  });

  test("what cannot be had ends CANCELLED and says why", async () => {
    const declined = await json("POST", "/v1/orders", orderOf("linen-towel", 1, "declined"));
    expect(declined.body).toMatchObject({ state: "ORDER_STATE_CANCELLED", cancelReason: "payment declined" });
    const many = await json("POST", "/v1/orders", orderOf("last-teapot", 2));
    expect(many.body).toMatchObject({ state: "ORDER_STATE_CANCELLED", cancelReason: "not in stock: last-teapot" });
    expect(await stockOf("last-teapot")).toMatchObject({ available: 1, reserved: 0 });
    expect((await stockOf("linen-towel")).reserved).toBe(0);
  });

  test("standard methods work without a line of code", async () => {
    const created = await json("POST", "/v1/products", {
      id: `thing-${randomUUID()}`,
      name: "Thing",
      priceCents: "100",
      tags: ["a"],
    });
    expect(created.status).toBe(200);
    const { id } = created.body;
    expect(await json("POST", "/v1/products", created.body)).toMatchObject({ status: 409, body: { code: 6 } });
    const patched = await json("PATCH", `/v1/products/${id}`, { priceCents: "250" });
    expect(patched.body).toMatchObject({ id, name: "Thing", priceCents: "250", tags: ["a"] });
    expect((await json("GET", `/v1/products/${id}`)).body).toEqual(patched.body);
    expect((await json("GET", `/v1/products:batchGet?ids=${id}&ids=oak-tray`)).body.products).toMatchObject([
      { id },
      { id: "oak-tray" },
    ]);
    expect((await rest("DELETE", `/v1/products/${id}`)).status).toBe(200);
    expect(await json("GET", `/v1/products/${id}`)).toMatchObject({ status: 404, body: { code: 5 } });
  });

  test("lists come in pages, and each thing once", async () => {
    const seen: string[] = [];
    let token = "";
    do {
      const { body } = await json("GET", `/v1/products?pageSize=3&pageToken=${encodeURIComponent(token)}`);
      expect(body.products.length).toBeLessThanOrEqual(3);
      seen.push(...body.products.map((product: { id: string }) => product.id));
      token = body.nextPageToken;
    } while (token !== "");
    expect(seen.length).toBeGreaterThanOrEqual(8);
    expect(new Set(seen).size).toBe(seen.length);
    expect(await json("GET", "/v1/products?pageToken=forged")).toMatchObject({ status: 400, body: { code: 3 } });
  });

  test("a stream of answers is one JSON document a line", async () => {
    const { headers, text } = await rest("GET", "/v1/users");
    expect(headers.get("content-type")).toContain("application/x-ndjson");
    const emails = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).email);
    expect(emails).toEqual(expect.arrayContaining(["ada@example.com", "grace@example.com", "linus@example.com"]));
  });

  test.each([
    ["malformed JSON", "POST", "/v1/orders", "{", 400, 3],
    ["an unknown field", "POST", "/v1/orders", { ...orderOf("oak-tray"), colour: "red" }, 400, 3],
    ["a value out of range", "POST", "/v1/orders", orderOf("oak-tray", 5000), 400, 3],
    ["an unknown query parameter", "GET", "/v1/products?colour=red", undefined, 400, 3],
    ["an unknown id", "GET", "/v1/orders/nobody", undefined, 404, 5],
    ["an unknown route", "GET", "/v2/orders", undefined, 404, 5],
    ["the wrong method", "PUT", "/v1/orders", {}, 405, 12],
    ["a body over 4 MiB", "POST", "/v1/orders", `{"customerId":"${"x".repeat(4 * 1024 * 1024)}"}`, 413, 8],
  ])("%s gets a clear answer", async (_, method, path, body, status, code) => {
    const answer = await json(method, path, body);
    expect(answer).toMatchObject({ status, body: { code, message: expect.any(String) } });
  });

  test("what a request breaks is said field by field", async () => {
    const { body } = await json("POST", "/v1/orders", { lines: [{ quantity: 0 }] });
    const violations = body.details.flatMap(
      (detail: { fieldViolations?: { field: string }[] }) => detail.fieldViolations ?? [],
    );
    expect(violations.map(({ field }: { field: string }) => field).sort()).toEqual(
      expect.arrayContaining([
        "customer_id",
        "lines[0].product_id",
        "lines[0].quantity",
        "payment_method",
        "request_id",
      ]),
    );
  });
});

test("an unknown field of a call in JSON is refused with its name", async () => {
  const { status, body } = await json("POST", "/shop.orders.v1.OrderService/GetOrder", { id: "x", idd: 1 });
  expect(status).toBe(400);
  expect(body).toMatchObject({ code: "invalid_argument", message: expect.stringContaining("idd") });
});

const transports: Record<string, () => Transport> = {
  gRPC: () => createGrpcTransport({ baseUrl: shop.address }),
  "gRPC-Web over HTTP/2": () => createGrpcWebTransport({ baseUrl: shop.address, httpVersion: "2" }),
  "gRPC-Web over HTTP/1.1": () => createGrpcWebTransport({ baseUrl: shop.address, httpVersion: "1.1" }),
  "Connect over HTTP/2": () => createConnectTransport({ baseUrl: shop.address, httpVersion: "2" }),
  "Connect over HTTP/1.1": () => createConnectTransport({ baseUrl: shop.address, httpVersion: "1.1" }),
  "Connect with GET and JSON": () =>
    createConnectTransport({ baseUrl: shop.address, httpVersion: "1.1", useHttpGet: true, useBinaryFormat: false }),
};

describe.each(Object.entries(transports))("over %s", (name, connect) => {
  // HTTP/1.1 answers only after it has heard the request to its end.
  const bidirectional = !name.includes("HTTP/1.1") && !name.includes("GET");

  test("unary: places an order, and reads it", async () => {
    const client = createClient(OrderService, connect());
    const order = await client.placeOrder(orderOf("notebook-a5"));
    expect(order.state).toBe(OrderState.CONFIRMED);
    expect(await client.getOrder({ id: order.id })).toEqual(order);
  });

  test("server streaming: lists users", async () => {
    const emails: string[] = [];
    for await (const user of createClient(UserService, connect()).listUsers({})) emails.push(user.email);
    expect(emails).toContain("ada@example.com");
  });

  test("client streaming: registers users", async () => {
    const tag = randomUUID();
    async function* wanted() {
      for (const name of ["a", "b", "c"]) yield { user: { email: `${name}-${tag}@example.com`, displayName: name } };
    }
    const { users } = await createClient(UserService, connect()).createUsers(wanted());
    expect(users.map((user) => user.displayName)).toEqual(["a", "b", "c"]);
  });

  test.runIf(bidirectional)("bidirectional streaming: two people talk", async () => {
    const client = createClient(UserService, connect());
    const room = randomUUID();
    let speak = () => {};
    const turn = new Promise<void>((resolve) => {
      speak = resolve;
    });
    async function* ada() {
      yield { room, author: "ada" };
      await turn;
      yield { author: "ada", text: "hello" };
    }
    const heard: string[] = [];
    const listening = (async () => {
      for await (const { author, text } of client.chat(ada())) {
        heard.push(`${author}: ${text}`);
        if (text === "is anyone here?") speak();
      }
    })();
    async function* grace() {
      yield { room, author: "grace" };
      while (!heard.includes("ada: hello")) {
        yield { author: "grace", text: "is anyone here?" };
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    for await (const _ of client.chat(grace())) if (heard.includes("ada: hello")) break;
    await listening;
    expect(heard).toContain("grace: is anyone here?");
    expect(heard).toContain("ada: hello");
  });

  test("errors carry their code and what was wrong", async () => {
    const client = createClient(OrderService, connect());
    expect((await failure(client.getOrder({ id: "nobody" }))).code).toBe(Code.NotFound);
    expect((await failure(client.placeOrder({}))).code).toBe(Code.InvalidArgument);
  });

  test("a caller's deadline ends the call", async () => {
    const client = createClient(OrderService, connect());
    expect((await failure(client.placeOrder(orderOf("oak-tray"), { timeoutMs: 1 }))).code).toBe(Code.DeadlineExceeded);
  });
});

test("a watched order is sent as it is, and again when it changes", async () => {
  const client = createClient(OrderService, createGrpcTransport({ baseUrl: shop.address }));
  const { id } = await client.placeOrder(orderOf("espresso-cup"));
  const states: OrderState[] = [];
  for await (const { state } of client.watchOrder({ id })) {
    states.push(state);
    if (state === OrderState.CONFIRMED) await client.cancelOrder({ id });
  }
  expect(states).toEqual([OrderState.CONFIRMED, OrderState.CANCELLED]);
});

test("many orders are tracked in one conversation", async () => {
  const client = createClient(OrderService, createGrpcTransport({ baseUrl: shop.address }));
  const placed = await Promise.all([1, 2].map(() => client.placeOrder(orderOf("espresso-cup"))));
  const ids = placed.map(({ id }) => id);
  async function* asked() {
    for (const id of ids) yield { id };
  }
  const seen = new Map<string, OrderState[]>(ids.map((id) => [id, []]));
  for await (const { id, state } of client.trackOrders(asked())) {
    seen.get(id)?.push(state);
    if (state === OrderState.CONFIRMED) await client.cancelOrder({ id });
  }
  for (const states of seen.values()) expect(states).toEqual([OrderState.CONFIRMED, OrderState.CANCELLED]);
});

describe("kill -9", () => {
  test("of orders while calls run: every order is placed once in the end, and the service comes back", async () => {
    const client = createClient(OrderService, createGrpcTransport({ baseUrl: shop.address }));
    const before = await stockOf("notebook-a5");
    const wanted = Array.from({ length: 40 }, () => orderOf("notebook-a5"));
    const victim = (await shop.processes()).find(({ service }) => service === "orders");
    let kills = 0;
    const placed = await Promise.all(
      wanted.map(async (order, position) => {
        await new Promise((resolve) => setTimeout(resolve, position * 10));
        if (position === 20) kills += Number(process.kill(victim!.pid!, "SIGKILL"));
        for (let attempt = 0; ; attempt++) {
          try {
            return await client.placeOrder(order);
          } catch (error) {
            expect(Code[ConnectError.from(error).code]).toMatch(/Unavailable|DeadlineExceeded/);
            if (attempt > 100) throw error;
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
        }
      }),
    );
    expect(kills).toBe(1);
    for (const { state } of placed) expect(state).toBe(OrderState.CONFIRMED);
    expect(new Set(placed.map(({ id }) => id)).size).toBe(40);
    expect(await stockOf("notebook-a5")).toMatchObject({
      available: before.available - 40,
      reserved: before.reserved + 40,
    });
    await until("orders is healthy again", async () =>
      (await shop.processes()).some(
        ({ service, pid, state }) => service === "orders" && pid !== victim?.pid && state === "healthy",
      ),
    );
  });

  test("of payments: an order stays PENDING meanwhile, and is confirmed when payments is back", async () => {
    const victim = (await shop.processes()).find(({ service }) => service === "payments");
    process.kill(victim?.pid as number, "SIGSTOP");
    const placed = await json("POST", "/v1/orders", { ...orderOf("wool-blanket"), wait: false });
    process.kill(victim?.pid as number, "SIGKILL");
    expect(placed).toMatchObject({ status: 200, body: { state: "ORDER_STATE_PENDING" } });
    const { text } = await rest("GET", `/v1/orders/${placed.body.id}:watch`, undefined, '"ORDER_STATE_CONFIRMED"');
    expect(text).toContain("ORDER_STATE_PENDING");
    expect((await stockOf("wool-blanket")).reserved).toBe(1);
  });
});

test("an order that is still being placed can be cancelled", async () => {
  const victim = (await shop.processes()).find(({ service }) => service === "payments");
  const before = await stockOf("fountain-pen");
  process.kill(victim?.pid as number, "SIGSTOP");
  const { body } = await json("POST", "/v1/orders", { ...orderOf("fountain-pen"), wait: false });
  await until("the goods are set aside", async () => (await stockOf("fountain-pen")).reserved > before.reserved);
  const cancelling = json("POST", `/v1/orders/${body.id}:cancel`, {});
  process.kill(victim?.pid as number, "SIGCONT");
  let cancelled = await cancelling;
  await until("the order is cancelled", async () => {
    if (cancelled.status !== 200) cancelled = await json("POST", `/v1/orders/${body.id}:cancel`, {});
    return cancelled.status === 200;
  });
  expect(cancelled.body).toMatchObject({ state: "ORDER_STATE_CANCELLED" });
  expect(await stockOf("fountain-pen")).toEqual(before);
  expect(await shop.count("payments", "payments", `order_id = '${body.id}' and state = 1`)).toBe(0);
});

test("what has happened is told, counted and learned from, each thing once, whoever is killed meanwhile", async () => {
  const email = `${randomUUID()}@example.com`;
  const customerId = (await json("POST", "/v1/users", { email, displayName: "Somebody" })).body.id;
  const products: string[] = [];
  for (const name of ["One", "Other"]) {
    const { id } = (await json("POST", "/v1/products", { id: randomUUID(), name, priceCents: "100" })).body;
    await json("POST", "/v1/stocks", { productId: id, available: 10 });
    products.push(id);
  }
  const lines = products.map((productId) => ({ productId, quantity: 2 }));
  const { id } = (await json("POST", "/v1/orders", { ...orderOf("oak-tray"), customerId, lines })).body;
  for (const { service, pid } of await shop.processes()) {
    if (["notifications", "analytics", "recommendations"].includes(service)) process.kill(pid!, "SIGKILL");
  }

  const filter = new URLSearchParams({ filter: `user_id = "${customerId}"` });
  const expected = [
    ["Welcome, Somebody", `You are registered as ${email}.`],
    ["We have your order", `4 things, order ${id}.`],
    ["Your payment has arrived", `€4.00 for 4 things, order ${id}.`],
    ["Your order is confirmed", `4 things for €4.00, order ${id}.`],
  ];
  await until("the customer is told of all", async () => {
    const { status, body } = await json("GET", `/v1/notifications?${filter}`);
    if (status !== 200 || body.notifications.length < expected.length) return false;
    const told = body.notifications.map(({ subject, text }: Record<string, string>) => [subject, text]);
    expect(told.toSorted()).toEqual(expected.toSorted());
    return true;
  });
  expect(await shop.count("notifications", "letters", `email = '${email}'`)).toBe(1);
  await until("the products are recommended with each other", async () => {
    const { status, body } = await json("GET", `/v1/products/${products[0]}/recommendations`);
    if (status !== 200 || body.recommendations.length === 0) return false;
    expect(body.recommendations).toEqual([{ productId: products[1], orders: "1" }]);
    return true;
  });
  // With all that the tests before this one have done.
  const registrations = await shop.count("users", "users", "true");
  const orders = await shop.count("orders", "orders", "true");
  await until("each user and each order is counted", async () => {
    const { status, body } = await json("GET", "/v1/salesDays");
    if (status !== 200) return false;
    const total = (name: string) =>
      body.salesDays.reduce((sum: number, day: Record<string, string>) => sum + Number(day[name]), 0);
    expect(total("registrations")).toBeLessThanOrEqual(registrations);
    expect(total("orders")).toBeLessThanOrEqual(orders);
    return total("registrations") === registrations && total("orders") === orders && total("revenueCents") >= 400;
  });
});

test("products are also there by name, for whoever knows only the contract", async () => {
  const client = createClient(InventoryService, createGrpcTransport({ baseUrl: shop.address }));
  const { products } = await client.batchGetProducts({ ids: ["oak-tray", "desk-lamp"] });
  expect(products.map(({ id }) => id)).toEqual(["oak-tray", "desk-lamp"]);
});

// Last: what comes after it would run in the shop that it starts.
test("the supervisor is killed, the rest drains by itself, and the next start has all the data", async () => {
  const order = orderOf("espresso-cup");
  const placed = await createClient(OrderService, createGrpcTransport({ baseUrl: shop.address })).placeOrder(order);
  expect(placed.state).toBe(OrderState.CONFIRMED);
  const pids = (await shop.processes()).map(({ pid }) => pid!);
  shop.supervisor.kill("SIGKILL");
  await until("nothing is left behind", () => !pids.some(isAlive));

  shop = await startShop({ state: shop.state, port: Number(new URL(shop.address).port) });
  const client = createClient(OrderService, createGrpcTransport({ baseUrl: shop.address }));
  expect(await client.getOrder({ id: placed.id })).toEqual(placed);
  expect(await client.placeOrder(order)).toEqual(placed);
  const left = (await shop.processes()).map(({ pid }) => pid!);
  await shop.stop();
  expect(left.filter(isAlive)).toEqual([]);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
