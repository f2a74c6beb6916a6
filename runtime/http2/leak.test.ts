import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { expect, test } from "vitest";
import { createNativeTransport } from "../grpc/client-transport.js";
import { createServerAdapter } from "../server/adapter.js";
import { listen } from "../server/listen.js";
import type { GrpcServer } from "../server/native-http2.js";
import { runningTimers } from "./timers.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** 100,000 with CALLS=100000. */
const calls = Number(process.env.CALLS ?? 10_000);

test("many calls, half of them cancelled, leave no listener, timer, stream or memory behind", async () => {
  let running = 0;
  const handlers = createServerAdapter({
    transport: "native",
    routes: (router) =>
      router.service(UserService, {
        async getUser({ id }, { signal }) {
          if (id !== "wait") return { id };
          running++;
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
          running--;
          return {};
        },
      }),
  });
  const listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
  const transport = createNativeTransport(`http://127.0.0.1:${listener.port}`);
  const users = createClient(UserService, transport);
  const shared = new AbortController();
  const timers = runningTimers();

  async function round(count: number): Promise<void> {
    for (let done = 0; done < count; done += 100) {
      const answered = Array.from({ length: 50 }, () =>
        users.getUser({ id: "a" }, { signal: shared.signal, timeoutMs: 60_000 }),
      );
      const cancelled = Array.from({ length: 50 }, (_, index) => {
        const controller = new AbortController();
        const call = users.getUser({ id: "wait" }, { signal: controller.signal, timeoutMs: 60_000 });
        // Some are aborted before they are sent, most after.
        if (index % 5 === 0) controller.abort();
        else setImmediate(() => controller.abort());
        return call.then(
          () => "answered",
          (error) => ConnectError.from(error).code,
        );
      });
      expect(new Set((await Promise.all(answered)).map(({ id }) => id))).toEqual(new Set(["a"]));
      expect(new Set(await Promise.all(cancelled))).toEqual(new Set([Code.Canceled]));
    }
    while (running > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  await round(2_000);
  const before = heap();
  await round(calls);
  const grown = heap() - before;
  expect(getEventListeners(shared.signal, "abort")).toHaveLength(0);
  // Each side of a connection has a keep-alive timer, and the client an idle timer as well. Connections whose resets are
  // used up end with their last call.
  await expect.poll(() => runningTimers() - timers, { timeout: 10_000 }).toBeLessThanOrEqual(3);
  expect((handlers.http2 as GrpcServer).streams).toBe(0);
  // One small object kept for each call would be more.
  expect(grown).toBeLessThan(Math.max(2_000_000, calls * 50));
  transport.close();
  await listener.drain(1_000);
  expect(runningTimers()).toBeLessThanOrEqual(timers + 2);
}, 120_000);
