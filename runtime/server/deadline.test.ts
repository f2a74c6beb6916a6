import { createClient } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { expect, test, vi } from "vitest";
import { createNativeTransport } from "../grpc/client-transport.js";
import { createServerAdapter } from "./adapter.js";
import { listen } from "./listen.js";

test("a system clock that is set forward neither ends a call nor takes the time that its own calls have", async () => {
  const left: (number | undefined)[] = [];
  const handlers = createServerAdapter({
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
