import { getEventListeners } from "node:events";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createHandlerContext } from "@connectrpc/connect";
import { OrderService, PlaceOrderRequestSchema } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { MethodPolicy } from "../spec/policy.js";
import { ConnectCall } from "./connect-call.js";

const { placeOrder } = OrderService.method;

interface From {
  readonly timeoutMs?: number;
  readonly requestSignal?: AbortSignal;
  readonly shutdownSignal?: AbortSignal;
}

function from(init: From = {}) {
  const call = { service: OrderService, method: placeOrder, protocolName: "grpc", requestMethod: "POST" };
  return createHandlerContext({ ...call, url: "http://127.0.0.1/", ...init });
}

/** A call as the stages see it: `policy` may bound it, too. */
function callOf(init: From = {}, policy: MethodPolicy = {}, request?: unknown): ConnectCall {
  return limited(new ConnectCall(from(init), placeOrder, policy, request), policy);
}

function limited(call: ConnectCall, { timeoutMs }: MethodPolicy): ConnectCall {
  if (timeoutMs !== undefined) call.limit(timeoutMs);
  return call;
}

function listenersOf(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}

const forever = () => new Promise(() => undefined);
const turn = () => new Promise((resolve) => setImmediate(resolve));
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "answered",
    (error) => Code[ConnectError.from(error).code],
  );

describe("its deadline", () => {
  test("is the caller's or the contract's, whichever is earlier", async () => {
    const before = Date.now();
    const calls = [
      callOf(),
      callOf({ timeoutMs: 50_000 }),
      callOf({}, { timeoutMs: 70_000 }),
      callOf({ timeoutMs: 50_000 }, { timeoutMs: 70_000 }),
      callOf({ timeoutMs: 90_000 }, { timeoutMs: 70_000 }),
    ];
    const deadlines = calls.map(({ context: { deadline } }) => deadline && Math.round((deadline - before) / 10_000));
    expect(deadlines).toEqual([undefined, 5, 7, 5, 7]);
    await Promise.all(calls.map((call) => call.run(() => ({}))));
  });

  test("leaves never less than no time", async () => {
    expect(callOf().context.timeoutMs()).toBeUndefined();
    expect(callOf({ timeoutMs: -5 }).context.timeoutMs()).toBe(0);
    const call = callOf({}, { timeoutMs: 2 ** 40 });
    expect(call.context.timeoutMs()).toBeGreaterThan(2 ** 39);
    await turn();
    expect(call.signal.aborted).toBe(false);
    await call.run(() => ({}));
  });

  test("is as far away when the wall clock jumps, ahead or back", async () => {
    const jumpMs = 40 * 24 * 3600 * 1000;
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers({ toFake: ["Date"] });
    const call = callOf({}, { timeoutMs: 60_000 });
    for (const ahead of [jumpMs, -jumpMs]) {
      vi.setSystemTime(Date.now() + ahead);
      expect(call.context.timeoutMs()).toBeGreaterThan(30_000);
      expect(call.context.timeoutMs()).toBeLessThanOrEqual(60_000);
      expect(call.signal.aborted).toBe(false);
    }
    await call.run(() => ({}));
  });
});

describe("its signal", () => {
  test("is aborted when the contract's time is over, when the caller leaves, and when the call is over", async () => {
    const late = callOf({}, { timeoutMs: 1 });
    const reasons: unknown[] = [];
    late.cancelled = (reason) => reasons.push(reason);
    await new Promise((resolve) => late.signal.addEventListener("abort", resolve));
    expect(late.signal.reason.code).toBe(Code.DeadlineExceeded);
    expect(reasons).toEqual([late.signal.reason]);

    const caller = new AbortController();
    const left = callOf({ requestSignal: caller.signal }, { timeoutMs: 60_000 });
    caller.abort();
    expect(left.signal.aborted).toBe(true);

    const over = callOf({}, { timeoutMs: 60_000 });
    over.cancelled = () => reasons.push("answered");
    await over.run(() => ({}));
    expect(over.signal.aborted).toBe(true);
    expect(reasons).toHaveLength(1);
  });

  test("leaves no listener and no timer behind", async () => {
    const handlerContext = from();
    const connectsOwn = listenersOf(handlerContext.signal);
    const before = process.getActiveResourcesInfo().length;
    for (let i = 0; i < 20; i++) {
      const policy = { timeoutMs: 60_000 };
      await limited(new ConnectCall(handlerContext, placeOrder, policy, undefined), policy).run(() => ({}));
    }
    expect(listenersOf(handlerContext.signal)).toBe(connectsOwn);
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before);
  });
});

test("its context finds the idempotency key, and tells requests apart without it", () => {
  const keyed = (requestId: string, customerId: string) =>
    callOf({}, { idempotencyKey: "requestId" }, create(PlaceOrderRequestSchema, { requestId, customerId })).context;
  expect(keyed("k1", "ada").idempotencyKey).toBe("k1");
  expect(keyed("", "ada").idempotencyKey).toBeUndefined();
  expect(keyed("k1", "ada").fingerprint).toEqual(keyed("k2", "ada").fingerprint);
  expect(keyed("k1", "ada").fingerprint).not.toEqual(keyed("k1", "bob").fingerprint);
});

test("its context says where in a trace the call stands", () => {
  const [traceId, parentId] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
  const handlerContext = from();
  handlerContext.requestHeader.set("traceparent", `00-${traceId}-${parentId}-01`);
  const { context } = new ConnectCall(handlerContext, placeOrder, {}, undefined);
  expect(context.trace).toEqual({ traceId, parentId, sampled: true });
  expect(callOf().context.trace).toBeUndefined();
});

describe("one response", () => {
  test("is the handler's, and so is its failure", async () => {
    expect(await callOf({ timeoutMs: 60_000 }).run(async () => ({ id: "1" }))).toMatchObject({ id: "1" });
    const rejects = async () => Promise.reject(new ConnectError("x", Code.NotFound));
    expect(await codeOf(callOf().run(rejects))).toBe("NotFound");
    const throws = () => {
      throw new ConnectError("x", Code.Internal);
    };
    expect(await codeOf(callOf().run(throws))).toBe("Internal");
  });

  test("does not wait for a handler that ignores its signal", async () => {
    expect(await codeOf(callOf({}, { timeoutMs: 1 }).run(forever))).toBe("DeadlineExceeded");
    expect(await codeOf(callOf({ timeoutMs: 1 }).run(forever))).toBe("DeadlineExceeded");
  });

  test("says whether the caller left or the process stops", async () => {
    const caller = new AbortController();
    const left = codeOf(callOf({ requestSignal: caller.signal }).run(forever));
    caller.abort(new ConnectError("read ECONNRESET", Code.Aborted));
    expect(await left).toBe("Canceled");

    const stopping = new AbortController();
    const cut = codeOf(callOf({ shutdownSignal: stopping.signal }).run(forever));
    stopping.abort(new ConnectError("shutting down", Code.Unavailable));
    expect(await cut).toBe("Unavailable");
  });

  test("is not begun if its time is already over", async () => {
    let started = false;
    const handle = async () => {
      started = true;
    };
    expect(await codeOf(callOf({ timeoutMs: 0 }).run(handle))).toBe("DeadlineExceeded");
    expect(started).toBe(false);
  });

  test("that fails after its caller left disturbs nobody", async () => {
    const caller = new AbortController();
    let failLate: (error: Error) => void = () => undefined;
    const call = callOf({ requestSignal: caller.signal });
    const code = codeOf(call.run(() => new Promise((_resolve, reject) => (failLate = reject))));
    caller.abort();
    expect(await code).toBe("Canceled");
    failLate(new Error("too late")); // vitest fails the run if this becomes an unhandled rejection
    await turn();
  });
});

describe("many responses", () => {
  test("pass on, and the handler's stream is closed when its reader stops", async () => {
    let closed = false;
    async function* answers() {
      try {
        for (let i = 0; ; i++) yield { id: String(i) };
      } finally {
        closed = true;
      }
    }
    const seen: unknown[] = [];
    for await (const message of callOf().runStream(answers)) if (seen.push(message) === 3) break;
    expect(seen).toMatchObject([{ id: "0" }, { id: "1" }, { id: "2" }]);
    expect(closed).toBe(true);
  });

  test("end between two when the caller leaves, even if the handler is stuck", async () => {
    const caller = new AbortController();
    async function* answers() {
      yield { id: "1" };
      await forever();
    }
    const stream = callOf({ requestSignal: caller.signal }).runStream(answers);
    expect((await stream.next()).value).toMatchObject({ id: "1" });
    const next = codeOf(stream.next());
    await turn();
    caller.abort();
    expect(await next).toBe("Canceled");
  });

  test("fail as the handler's stream fails", async () => {
    // biome-ignore lint/correctness/useYield: a stream that fails before its first response
    async function* answers(): AsyncGenerator<object> {
      throw new ConnectError("x", Code.NotFound);
    }
    expect(await codeOf(callOf().runStream(answers).next())).toBe("NotFound");
  });
});
