import { randomUUID } from "node:crypto";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { type Order, OrderSchema, OrderService, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { placeOrderSaga } from "@shop/generated/shop/orders/v1/orders_saga.js";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { orders } from "../../examples/shop/orders/orders.js";
import { testDatabase } from "../../generator/testing/database.js";
import { execute } from "../../generator/testing/tables.js";
import { codecOf } from "../codec/known.js";
import type { ServiceDefinition } from "../service/define.js";
import { type InMemoryService, inMemory } from "../service/in-memory.js";
import type { ServicePolicy } from "../spec/policy.js";
import type { StepSpec } from "../spec/saga.js";
import { listSagas, retrySaga } from "./admin.js";
import type { SagaDefinition } from "./saga.js";

const migrations = new URL("../../examples/shop/orders/migrations/", import.meta.url);
const lines = [{ productId: "pen", quantity: 1 }];

/** What a called service does, by method; each gets the request and how often it was called before. */
type Behaviour = (request: { requestId: string }, calls: number, signal: AbortSignal) => unknown;
type Options = { signal: AbortSignal; timeoutMs: number; headers: Record<string, string> };

let url: string;
let calls: string[];
let lastOptions: Options | undefined;
let behaviour: Record<string, Behaviour>;
let running: InMemoryService[];

beforeAll(async () => {
  url = await testDatabase();
});
beforeEach(() => {
  calls = [];
  running = [];
  behaviour = {
    reserveStock: () => ({ id: "r", state: 1, lines: [{ ...lines[0], unitPriceCents: 5n }], missingProductIds: [] }),
    capturePayment: () => ({ id: "p", state: 1 }),
    releaseStock: () => ({}),
    refundPayment: () => ({}),
  };
});
afterEach(async () => {
  for (const service of running) await service.close();
});

const method = (name: string) => async (request: { requestId: string }, options: Options) => {
  const before = calls.filter((call) => call.startsWith(`${name} `)).length;
  calls.push(`${name} ${request.requestId.split("/")[1]}`);
  lastOptions = options;
  return behaviour[name]!(request, before, options.signal);
};

/** Orders over services that behave as the test says, with a saga that the test may change. */
async function start(
  change: {
    timeoutMs?: number;
    retentionMs?: number;
    step?: Partial<StepSpec>;
    steps?: StepSpec[];
    complete?: () => unknown;
  } = {},
) {
  const { timeoutMs = 60_000, retentionMs, step, steps = placeOrderSaga.steps } = change;
  const quick = { initialBackoffMs: 1, maxBackoffMs: 5, backoffMultiplier: 2 };
  const placeOrder = { ...placeOrderSaga, timeoutMs, steps: steps.map((spec) => ({ ...spec, retry: quick, ...step })) };
  const defined = orders.sagas.placeOrder as SagaDefinition;
  const complete = change.complete === undefined ? defined.complete : async () => change.complete?.();
  const definition: ServiceDefinition = {
    ...orders,
    // A busy machine may take longer than the contract allows.
    spec: { ...orders.spec, sagas: { placeOrder }, policy: unbounded(orders.spec.policy) },
    sagas: { placeOrder: { ...defined, complete } },
  };
  const service = await inMemory(definition, {
    databaseUrl: url,
    migrations,
    // As long as no instance dies, and none does here without giving its leases back, nobody waits for one to end.
    sagaLeaseMs: 60_000,
    sagaRetentionMs: retentionMs,
    peers: {
      inventory: { reserveStock: method("reserveStock"), releaseStock: method("releaseStock") },
      payments: { capturePayment: method("capturePayment"), refundPayment: method("refundPayment") },
    },
  });
  running.push(service);
  return { service, client: createClient(OrderService, service.transport) };
}

/** A service's policy without its timeouts. */
function unbounded(policy: ServicePolicy): ServicePolicy {
  return Object.fromEntries(Object.entries(policy).map(([name, { timeoutMs: _, ...rest }]) => [name, rest]));
}

type Client = Awaited<ReturnType<typeof start>>["client"];

const place = (client: Client, wait = true): Promise<Order> =>
  client.placeOrder({ requestId: randomUUID(), customerId: "ada", lines, paymentMethod: "card", wait });

/** What becomes so, on a busy machine too. */
const eventually = <T>(ask: () => T | Promise<T>) => expect.poll(ask, { timeout: 30_000 });

const row = async (id: string) => (await execute(url, `SELECT * FROM "scaffold_sagas" WHERE "id" = '${id}'`)).rows[0];

/** Fails so many times, and then behaves as it did. */
function failing(name: string, code: Code, times = Number.POSITIVE_INFINITY): void {
  const works = behaviour[name]!;
  behaviour[name] = (request, before, signal) => {
    if (before < times) throw new ConnectError("no", code);
    return works(request, before, signal);
  };
}

test("each step is called once, with its own key, and none is undone", async () => {
  const { client, service } = await start();
  const order = await place(client);
  expect(order.state).toBe(OrderState.CONFIRMED);
  expect(calls).toEqual(["reserveStock reserve", "capturePayment capture"]);
  expect(await row(order.id)).toMatchObject({ state: "completed", attempts: 0, error: null, undone: 0 });
  const metrics = await service.metrics.text();
  expect(metrics).toContain('scaffold_sagas_started_total{service="orders"} 1');
  expect(metrics).toContain('scaffold_sagas_ended_total{outcome="completed",service="orders"} 1');
});

test("the trace goes on in the steps, and each is bounded", async () => {
  const { client } = await start({ step: { timeoutMs: 700 } });
  const request = { requestId: randomUUID(), customerId: "ada", lines, paymentMethod: "card", wait: true };
  await client.placeOrder(request, { headers: { "x-request-id": "trace me", cookie: "secret" } });
  expect(lastOptions).toMatchObject({ headers: { "x-request-id": "trace me" }, timeoutMs: 700 });
  expect(lastOptions?.headers).not.toHaveProperty("cookie");
});

test("what goes on from the call is kept with the saga: an instance that takes it over sends it, too", async () => {
  const sent: unknown[] = [];
  let isDown = true;
  behaviour.reserveStock = () => {
    sent.push(lastOptions?.headers);
    if (isDown) throw new ConnectError("no", Code.Unavailable);
    return { id: "r", state: 1, lines: [{ ...lines[0], unitPriceCents: 5n }], missingProductIds: [] };
  };
  const { client, service } = await start();
  const request = { requestId: randomUUID(), customerId: "ada", lines, paymentMethod: "card" };
  const headers = {
    "accept-language": "de-AT, de;q=0.5",
    tracestate: "a=b",
    baggage: "tenant=acme",
    authorization: "secret",
  };
  const { id } = await client.placeOrder(request, { headers });
  await eventually(() => sent.length).toBeGreaterThan(0);
  running.splice(running.indexOf(service), 1);
  await service.close();
  const before = sent.length;
  isDown = false;
  await start();
  await eventually(async () => (await row(id))?.state).toBe("completed");
  const { authorization, ...goesOn } = headers;
  // A step may be called more than once: what counts is what each call carries.
  const taken = sent.slice(before);
  expect(taken).toEqual(taken.map(() => goesOn));
  expect(taken.length).toBeGreaterThan(0);
});

test.each([Code.Unavailable, Code.DeadlineExceeded, Code.Unknown, Code.Internal, Code.Aborted, Code.ResourceExhausted])(
  "an answer that says nothing is asked for again (%i)",
  async (code) => {
    failing("capturePayment", code, 3);
    const { client } = await start();
    expect((await place(client)).state).toBe(OrderState.CONFIRMED);
    expect(calls).toEqual(["reserveStock reserve", ...Array(4).fill("capturePayment capture")]);
  },
);

test.each([Code.InvalidArgument, Code.NotFound, Code.FailedPrecondition, Code.PermissionDenied])(
  "a refusal undoes all that was begun, the last first (%i)",
  async (code) => {
    failing("capturePayment", code);
    const { client } = await start();
    expect(await place(client)).toMatchObject({ state: OrderState.CANCELLED, cancelReason: "capture: no" });
    expect(calls).toEqual([
      "reserveStock reserve",
      "capturePayment capture",
      "refundPayment capture",
      "releaseStock reserve",
    ]);
  },
);

test("what takes too long in all is undone, the step that was not answered as well", async () => {
  failing("capturePayment", Code.Unavailable);
  const { client } = await start({ timeoutMs: 100 });
  expect(await place(client)).toMatchObject({ state: OrderState.CANCELLED, cancelReason: "it took too long" });
  expect(calls.at(-1)).toBe("releaseStock reserve");
  expect(calls).toContain("refundPayment capture");
});

test("attempts may have a bound", async () => {
  failing("capturePayment", Code.Unavailable);
  const { client } = await start({
    step: { retry: { maxAttempts: 3, initialBackoffMs: 1, maxBackoffMs: 1, backoffMultiplier: 1 } },
  });
  expect((await place(client)).state).toBe(OrderState.CANCELLED);
  expect(calls.filter((call) => call === "capturePayment capture")).toHaveLength(3);
});

test("an undoing that fails is tried until it succeeds, and shown as stuck meanwhile", async () => {
  failing("capturePayment", Code.NotFound);
  let works = false;
  behaviour.refundPayment = () => {
    if (!works) throw new ConnectError("never", Code.Unavailable);
  };
  const { client } = await start();
  const { id } = await place(client, false);
  await eventually(async () => (await row(id)).attempts).toBeGreaterThan(10);
  expect(await row(id)).toMatchObject({ state: "compensating", error: expect.stringContaining("never") });
  // A new instance counts when it starts.
  const { service } = await start();
  await eventually(() => service.metrics.text()).toContain('scaffold_sagas_stuck{service="orders"} 1');
  works = true;
  await eventually(async () => (await row(id)).state).toBe("compensated");
  expect((await client.getOrder({ id })).state).toBe(OrderState.CANCELLED);
  expect(calls.filter((call) => call.startsWith("releaseStock"))).toHaveLength(1);
});

test("an undoing that is refused is stuck at once, says why, and waits for a person", async () => {
  failing("capturePayment", Code.NotFound);
  let fits = false;
  behaviour.releaseStock = () => {
    if (!fits) throw new ConnectError("2147483648 does not fit", Code.InvalidArgument);
  };
  const { client } = await start();
  const { id } = await place(client, false);
  await eventually(async () => (await row(id)).error).toContain("2147483648 does not fit");
  const stuck = await row(id);
  expect(stuck).toMatchObject({ state: "compensating", attempts: 1, undone: 1 });
  expect(await listSagas(url, { filter: "stuck", limit: 10 })).toMatchObject([{ id, attempts: 1, stuck: true }]);
  expect(stuck.due_at.getTime()).toBeGreaterThan(stuck.updated_at.getTime() + 30_000);
  expect(calls.filter((call) => call.startsWith("releaseStock"))).toHaveLength(1);
  fits = true;
  await retrySaga(url, id);
  await eventually(async () => (await row(id)).state).toBe("compensated");
  expect((await client.getOrder({ id })).state).toBe(OrderState.CANCELLED);
});

test("a number that does not fit ends in compensation; where it does not fit there either, the saga is stuck at once", async () => {
  const priced = (unitPriceCents: bigint) => () => ({
    id: "r",
    state: 1,
    lines: [{ ...lines[0], quantity: 2, unitPriceCents }],
  });
  // The total fits no int64: neither the request of the next step holds it, nor the order.
  behaviour.reserveStock = priced(2n ** 63n - 1n);
  const { client } = await start();
  const { id } = await place(client, false);
  await eventually(async () => (await row(id)).refused).toBe(true);
  expect(await row(id)).toMatchObject({
    state: "compensating",
    attempts: 1,
    reason: expect.stringMatching(/^capture: .*18446744073709551614/),
    error: expect.stringContaining("out of range"),
  });
  expect(calls).toEqual(["reserveStock reserve", "releaseStock reserve"]);
});

test("an order that cannot be completed is undone at once", async () => {
  const { client } = await start({
    complete: () => codecOf(OrderSchema).toBytes({ totalCents: 2n ** 63n } as Order),
  });
  const order = await place(client);
  expect(order).toMatchObject({
    state: OrderState.CANCELLED,
    cancelReason: "9223372036854775808 is no 64-bit integer",
  });
  expect(calls.slice(2)).toEqual(["refundPayment capture", "releaseStock reserve"]);
});

test("an instance that ends gives its sagas back at once, and another one goes on with them", async () => {
  let arrived = () => {};
  const seen = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const works = behaviour.reserveStock!;
  behaviour.reserveStock = (request, before, signal) => {
    if (before > 0) return works(request, before, signal);
    arrived();
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  const { client, service } = await start();
  const { id } = await place(client, false);
  await seen;
  // The call is on its way, and never answered: it is given up.
  running = [];
  await service.close();
  await start();
  await eventually(async () => (await row(id)).state).toBe("completed");
  expect((await row(id)).epoch).toBeGreaterThan(1);
});

test("whoever has lost its lease writes nothing any more", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  behaviour.capturePayment = async () => {
    await held;
    return { id: "p", state: 1 };
  };
  const { client } = await start();
  const { id } = await place(client, false);
  await eventually(() => calls).toContain("capturePayment capture");
  // Somebody has it undone while the step is on its way.
  const cancelled = await client.cancelOrder({ id });
  expect(cancelled.state).toBe(OrderState.CANCELLED);
  release();
  await place(client);
  expect(await row(id)).toMatchObject({ state: "compensated" });
  expect((await client.getOrder({ id })).state).toBe(OrderState.CANCELLED);
});

test("a completed saga can be undone, once", async () => {
  const { client } = await start();
  const { id } = await place(client);
  const cancelled = await Promise.all([client.cancelOrder({ id }), client.cancelOrder({ id })]);
  for (const order of cancelled) expect(order).toMatchObject({ state: OrderState.CANCELLED, paymentId: "p" });
  expect(calls.slice(2)).toEqual(["refundPayment capture", "releaseStock reserve"]);
  await expect(client.cancelOrder({ id: "nobody" })).rejects.toMatchObject({ code: Code.NotFound });
});

test("a saga that has ended is removed when its time is over; what it did stays, and cannot be undone by it any more", async () => {
  const { client } = await start();
  const request = { requestId: randomUUID(), customerId: "ada", lines, paymentMethod: "card", wait: true };
  const { id } = await client.placeOrder(request);
  const kept = await start({ retentionMs: 3_600_000 });
  await eventually(() => kept.service.metrics.text()).toContain("scaffold_sagas{");
  expect(await row(id)).toMatchObject({ state: "completed" });
  const { service } = await start({ retentionMs: 0 });
  await eventually(async () => await row(id)).toBeUndefined();
  expect(await service.metrics.text()).toMatch(/scaffold_sagas_removed_total{service="orders"} [1-9]/);
  // Whoever sends it again has the order at once, and is not kept waiting for a saga that is no more.
  expect(await client.placeOrder(request, { timeoutMs: 60_000 })).toMatchObject({ id });
  expect(calls).toEqual(["reserveStock reserve", "capturePayment capture"]);
  await expect(client.cancelOrder({ id })).rejects.toMatchObject({ code: Code.NotFound });
});

/** A saga whose second step was begun and not answered, and whose instance has ended. */
async function begun(): Promise<string> {
  failing("capturePayment", Code.Unavailable);
  const { client, service } = await start();
  const { id } = await place(client, false);
  await eventually(() => calls).toContain("capturePayment capture");
  running = [];
  await service.close();
  calls = [];
  return id;
}

const [reserve, capture] = placeOrderSaga.steps as [StepSpec, StepSpec];

test.each<[what: string, steps: StepSpec[], misfit: string]>([
  ["other steps", [capture, reserve], "it has begun reserve, and the contract has capture in its place"],
  [
    "a step in between",
    [reserve, { ...capture, name: "check" }, capture],
    "it has begun capture, and the contract has check",
  ],
  ["fewer steps", [reserve], "it has begun capture, and the contract has no such step there"],
  [
    "another call",
    [reserve, { ...capture, call: reserve.call }],
    "its step capture called shop.payments.v1.PaymentService/CapturePayment, and calls shop.inventory",
  ],
  [
    "another undoing",
    [{ ...reserve, compensate: capture.compensate }, capture],
    "its step reserve is undone by shop.inventory.v1.InventoryService/ReleaseStock, and by shop.payments",
  ],
])("a saga waits while the contract has %s, and goes on with one that it fits", async (_, steps, misfit) => {
  const id = await begun();
  const other = await start({ steps });
  await eventually(async () => (await row(id)).misfit).toContain(misfit);
  expect(await row(id)).toMatchObject({ state: "running", steps: ["reserve", "capture"], undone: 0 });
  await execute(url, `UPDATE "scaffold_sagas" SET "due_at" = now() WHERE "id" = '${id}'`);
  await eventually(async () => (await row(id)).due_at.getTime()).toBeGreaterThan(Date.now());
  expect(calls).toEqual([]);
  running = [];
  await other.service.close();
  behaviour.capturePayment = () => ({ id: "p", state: 1 });
  await start({ steps: [reserve, capture] });
  await execute(url, `UPDATE "scaffold_sagas" SET "due_at" = now() WHERE "id" = '${id}'`);
  await eventually(async () => (await row(id)).state).toBe("completed");
  expect(await row(id)).toMatchObject({ misfit: null });
  expect(calls).toEqual(["capturePayment capture"]);
});

test("a saga that the contract does not fit is undone when its time is over, as far as the contract knows how", async () => {
  const id = await begun();
  await execute(url, `UPDATE "scaffold_sagas" SET "deadline" = now() WHERE "id" = '${id}'`);
  const other = await start({ steps: [{ ...reserve, name: "check" }, capture] });
  await eventually(async () => (await row(id)).misfit).toContain(
    "it has begun reserve, and the contract says no more how",
  );
  expect(await row(id)).toMatchObject({ state: "compensating", undone: 1, reason: "it took too long" });
  expect(calls.filter((call) => !call.startsWith("capture"))).toEqual(["refundPayment capture"]);
  running = [];
  await other.service.close();
  await start();
  await execute(url, `UPDATE "scaffold_sagas" SET "due_at" = now() WHERE "id" = '${id}'`);
  await eventually(async () => (await row(id)).state).toBe("compensated");
  expect(calls.at(-1)).toBe("releaseStock reserve");
});

test("a saga goes on with steps that were added at the end since", async () => {
  const id = await begun();
  behaviour.capturePayment = () => ({ id: "p", state: 1 });
  // It asks for the goods once more, by a name of its own.
  const { client } = await start({ steps: [reserve, capture, { ...reserve, name: "again", localName: "reserve" }] });
  await eventually(async () => (await row(id)).state).toBe("completed");
  expect(await row(id)).toMatchObject({ steps: ["reserve", "capture", "again"], misfit: null });
  expect(calls).toEqual(["capturePayment capture", "reserveStock again"]);
  expect((await client.getOrder({ id })).state).toBe(OrderState.CONFIRMED);
});

test("a call that is repeated, even at once, starts one saga", async () => {
  const { client } = await start();
  const order = { customerId: "ada", lines, paymentMethod: "card", wait: true };
  const requestId = randomUUID();
  const placed = await Promise.all(Array.from({ length: 5 }, () => client.placeOrder({ ...order, requestId })));
  expect(new Set(placed.map(({ id }) => id)).size).toBe(1);
  expect(calls).toEqual(["reserveStock reserve", "capturePayment capture"]);
});
