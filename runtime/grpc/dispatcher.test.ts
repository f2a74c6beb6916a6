import { type ConnectError, createClient } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, expect, test } from "vitest";
import type { DispatchedCall, Dispatcher, PendingCall } from "../call/dispatcher.js";
import { failureOf } from "../call/failure.js";
import { createServerAdapter } from "../server/adapter.js";
import { listen } from "../server/listen.js";
import { Channel } from "./channel.js";
import { createNativeTransport } from "./client-transport.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A service that says its name. Returns its address. */
async function start(name: string): Promise<string> {
  const handlers = createServerAdapter({
    routes: (router) =>
      router.service(UserService, {
        getUser: () => ({ id: name }),
        async *listUsers(_, { signal }) {
          yield { id: name };
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      }),
  });
  const listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
  cleanups.push(() => listener.drain(0));
  return `http://127.0.0.1:${listener.port}`;
}

/** Sends every call to the next of several addresses, and notes how each ended. */
class InTurn implements Dispatcher {
  readonly #channels: readonly Channel[];
  readonly #taken = new Map<PendingCall, { readonly channel: Channel; readonly method: string }>();
  #next = 0;
  readonly ended: string[] = [];

  constructor(addresses: readonly string[]) {
    this.#channels = addresses.map((address) => new Channel(address));
  }

  get inFlight(): number {
    return this.#taken.size;
  }

  take(caller: PendingCall, { method }: DispatchedCall): void {
    const channel = this.#channels[this.#next++ % this.#channels.length] as Channel;
    this.#taken.set(caller, { channel, method: method.name });
    channel.take(caller);
  }

  leave(caller: PendingCall): void {
    const { channel, method } = this.#taken.get(caller)!;
    this.#taken.delete(caller);
    this.ended.push(`${method}: ${caller.error === undefined ? "well" : failureOf(caller.error)}`);
    channel.leave(caller);
  }

  afterResets(done: () => void): void {
    let left = this.#channels.length;
    for (const channel of this.#channels) channel.afterResets(() => --left === 0 && done());
  }

  close(): void {
    for (const channel of this.#channels) channel.close();
  }
}

test("a transport asks its dispatcher for the connection of each call, and tells it how the call ended", async () => {
  const dispatcher = new InTurn([await start("a"), await start("b"), "http://127.0.0.1:1"]);
  const transport = createNativeTransport("http://users", { dispatcher });
  cleanups.push(transport.close);
  const users = createClient(UserService, transport);
  const get = () =>
    users.getUser({}).then(
      ({ id }) => id,
      (error: ConnectError) => failureOf(error),
    );
  expect([await get(), await get(), await get(), await get()]).toEqual(["a", "b", "unreachable", "a"]);

  const leave = new AbortController();
  const stream = users.listUsers({}, { signal: leave.signal })[Symbol.asyncIterator]();
  expect((await stream.next()).value).toMatchObject({ id: "b" });
  expect(dispatcher.inFlight).toBe(1);
  leave.abort();
  await expect(stream.next()).rejects.toMatchObject({ rawMessage: expect.stringContaining("aborted") });
  // It is over before it has begun: no connection is asked for.
  await expect(users.getUser({}, { signal: leave.signal })).rejects.toThrow();
  expect(dispatcher.ended).toEqual([
    "GetUser: well",
    "GetUser: well",
    "GetUser: unreachable",
    "GetUser: well",
    "ListUsers: canceled",
  ]);
  expect(dispatcher.inFlight).toBe(0);
});
