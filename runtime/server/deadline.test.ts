import { getEventListeners } from "node:events";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createHandlerContext, type HandlerContext } from "@connectrpc/connect";
import { OrderService, PlaceOrderRequestSchema } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { KeyedContext } from "../call/context.js";
import { createNativeTransport } from "../grpc/client-transport.js";
import type { MethodPolicy } from "../spec/policy.js";
import { answer } from "./adapter.js";
import { abortError, bound, boundStream, createContext } from "./deadline.js";
import { listen } from "./listen.js";

const method = OrderService.method.placeOrder;

function from(init: { timeoutMs?: number; requestSignal?: AbortSignal; shutdownSignal?: AbortSignal } = {}) {
  return createHandlerContext({
    service: OrderService,
    method,
    protocolName: "grpc",
    requestMethod: "POST",
    url: "http://127.0.0.1/",
    ...init,
  });
}

function contextOf(handlerContext: HandlerContext, policy: MethodPolicy = {}, request?: unknown) {
  return createContext(handlerContext, method, policy, request);
}

/** How many listen to a handler's signal before any of ours does. */
const connectsOwn = listenersOf(from().signal);

function listenersOf(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}

const forever = <T>() => new Promise<T>(() => undefined);
const turn = () => new Promise((resolve) => setImmediate(resolve));
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "answered",
    (error) => Code[ConnectError.from(error).code],
  );

describe("createContext", () => {
  test("takes the earlier deadline of the caller's and the contract's", () => {
    const before = Date.now();
    const deadlines = [
      contextOf(from(), {}),
      contextOf(from({ timeoutMs: 50_000 }), {}),
      contextOf(from(), { timeoutMs: 70_000 }),
      contextOf(from({ timeoutMs: 50_000 }), { timeoutMs: 70_000 }),
      contextOf(from({ timeoutMs: 90_000 }), { timeoutMs: 70_000 }),
    ].map(({ context, dispose }) => {
      dispose();
      return context.deadline && Math.round((context.deadline - before) / 10_000);
    });
    expect(deadlines).toEqual([undefined, 5, 7, 5, 7]);
  });

  test("says how much time is left, never less than none", async () => {
    expect(contextOf(from()).context.timeoutMs()).toBeUndefined();
    expect(contextOf(from({ timeoutMs: -5 })).context.timeoutMs()).toBe(0);
    const { context, dispose } = contextOf(from(), { timeoutMs: 2 ** 40 });
    expect(context.timeoutMs()).toBeGreaterThan(2 ** 39);
    await turn();
    expect(context.signal.aborted).toBe(false);
    dispose();
  });

  test("has as much time left when the wall clock jumps, ahead or back", () => {
    const jumpMs = 40 * 24 * 3600 * 1000;
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers({ toFake: ["Date"] });
    const { context, dispose } = contextOf(from(), { timeoutMs: 60_000 });
    for (const ahead of [jumpMs, -jumpMs]) {
      vi.setSystemTime(Date.now() + ahead);
      expect(context.timeoutMs()).toBeGreaterThan(30_000);
      expect(context.timeoutMs()).toBeLessThanOrEqual(60_000);
      expect(abortError(context).code).toBe(Code.Canceled);
    }
    dispose();
  });

  test("aborts its signal when the contract's time is over, the caller leaves, or the call is over", async () => {
    const late = contextOf(from(), { timeoutMs: 1 }).context;
    await new Promise((resolve) => late.signal.addEventListener("abort", resolve));
    expect(late.signal.reason.code).toBe(Code.DeadlineExceeded);

    const caller = new AbortController();
    const left = contextOf(from({ requestSignal: caller.signal }), { timeoutMs: 60_000 }).context;
    caller.abort();
    expect(left.signal.aborted).toBe(true);

    const { context, dispose } = contextOf(from(), { timeoutMs: 60_000 });
    dispose();
    expect(context.signal.aborted).toBe(true);
  });

  test("leaves no listener and no timer behind", () => {
    const handlerContext = from();
    const before = process.getActiveResourcesInfo().length;
    for (let i = 0; i < 20; i++) contextOf(handlerContext, { timeoutMs: 60_000 }).dispose();
    expect(listenersOf(handlerContext.signal)).toBe(connectsOwn);
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before);
  });

  test("finds the idempotency key, and tells requests apart without it", () => {
    const policy = { idempotencyKey: "requestId" };
    const keyed = (requestId: string, customerId: string) =>
      contextOf(from(), policy, create(PlaceOrderRequestSchema, { requestId, customerId }))
        .context as KeyedContext<never>;
    expect(keyed("k1", "ada").idempotencyKey).toBe("k1");
    expect(keyed("", "ada").idempotencyKey).toBeUndefined();
    expect(keyed("k1", "ada").fingerprint).toEqual(keyed("k2", "ada").fingerprint);
    expect(keyed("k1", "ada").fingerprint).not.toEqual(keyed("k1", "bob").fingerprint);
  });
});

describe("bound", () => {
  test("answers what the handler answers, and fails as it fails", async () => {
    const { context } = contextOf(from({ timeoutMs: 60_000 }));
    expect(await bound(context, async () => 1)).toBe(1);
    expect(await codeOf(bound(context, async () => Promise.reject(new ConnectError("x", Code.NotFound))))).toBe(
      "NotFound",
    );
    const throws = () => {
      throw new ConnectError("x", Code.Internal);
    };
    expect(await codeOf(bound(context, throws))).toBe("Internal");
    expect(listenersOf(context.signal)).toBe(connectsOwn);
  });

  test("does not wait for a handler that ignores its signal", async () => {
    expect(await codeOf(bound(contextOf(from(), { timeoutMs: 1 }).context, forever))).toBe("DeadlineExceeded");
    expect(await codeOf(bound(contextOf(from({ timeoutMs: 1 })).context, forever))).toBe("DeadlineExceeded");
  });

  test("says whether the caller left or the process shuts down", async () => {
    const caller = new AbortController();
    const left = codeOf(bound(contextOf(from({ requestSignal: caller.signal })).context, forever));
    caller.abort(new ConnectError("read ECONNRESET", Code.Aborted));
    expect(await left).toBe("Canceled");

    const process = new AbortController();
    const cut = codeOf(bound(contextOf(from({ shutdownSignal: process.signal })).context, forever));
    process.abort(new ConnectError("shutting down", Code.Unavailable));
    expect(await cut).toBe("Unavailable");
  });

  test("does not start a handler whose time is already over", async () => {
    let started = false;
    const { context } = contextOf(from({ timeoutMs: 0 }));
    const run = async () => {
      started = true;
    };
    expect(await codeOf(bound(context, run))).toBe("DeadlineExceeded");
    expect(started).toBe(false);
  });

  test("a handler that fails after its caller left disturbs nobody", async () => {
    const caller = new AbortController();
    let failLate: (error: Error) => void = () => undefined;
    const { context } = contextOf(from({ requestSignal: caller.signal }));
    const call = codeOf(bound(context, () => new Promise((_resolve, reject) => (failLate = reject))));
    caller.abort();
    expect(await call).toBe("Canceled");
    failLate(new Error("too late")); // vitest fails the run if this becomes an unhandled rejection
    await turn();
  });
});

describe("boundStream", () => {
  test("passes answers on, and closes the handler's stream when the consumer stops", async () => {
    const { context } = contextOf(from());
    let closed = false;
    async function* answers() {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        closed = true;
      }
    }
    const seen: number[] = [];
    for await (const i of boundStream(context, answers())) if (seen.push(i) === 3) break;
    expect(seen).toEqual([0, 1, 2]);
    expect(closed).toBe(true);
    expect(listenersOf(context.signal)).toBe(connectsOwn);
  });

  test("ends between two answers when the caller leaves, even if the handler is stuck", async () => {
    const caller = new AbortController();
    const { context } = contextOf(from({ requestSignal: caller.signal }));
    async function* answers() {
      yield 1;
      await forever();
    }
    const stream = boundStream(context, answers());
    expect((await stream.next()).value).toBe(1);
    const next = codeOf(stream.next());
    await turn();
    caller.abort();
    expect(await next).toBe("Canceled");
    expect(listenersOf(context.signal)).toBe(0);
  });

  test("fails as the handler's stream fails", async () => {
    // biome-ignore lint/correctness/useYield: a stream that fails before its first answer
    async function* answers(): AsyncGenerator<number> {
      throw new ConnectError("x", Code.NotFound);
    }
    expect(await codeOf(boundStream(contextOf(from()).context, answers()).next())).toBe("NotFound");
  });
});

test("a system clock that is set forward neither ends a call nor takes the time that its own calls have", async () => {
  const left: (number | undefined)[] = [];
  const handlers = answer({
    transport: "native",
    routes: (router) =>
      router.service(UserService, {
        async getUser({ id }, { timeoutMs }) {
          vi.setSystemTime(Date.now() + 40 * 86_400_000);
          left.push(timeoutMs());
          return { id };
        },
      }),
  });
  const listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
  const transport = createNativeTransport(`http://127.0.0.1:${listener.port}`);
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    const users = createClient(UserService, transport);
    expect(await users.getUser({ id: "a" }, { timeoutMs: 60_000 })).toMatchObject({ id: "a" });
    expect(left[0]).toBeGreaterThan(1_000);
  } finally {
    vi.useRealTimers();
    transport.close();
    await listener.drain(100);
  }
});
