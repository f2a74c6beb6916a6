import { EventEmitter, getEventListeners, on, once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type CallOptions,
  Code,
  ConnectError,
  type ConnectRouter,
  createHandlerContext,
  createRouterTransport,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { type User, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, afterEach, describe, expect, expectTypeOf, test } from "vitest";
import type { Context } from "../call/context.js";
import { failureOf } from "../call/failure.js";
import { ConnectCall } from "../connect/connect-call.js";
import { timedCall, timingHeader, timingRequestHeader } from "../observe/timing.js";
import { createServerAdapter } from "../server/adapter.js";
import { type Listener, listen } from "../server/listen.js";
import type { ServicePolicy } from "../spec/policy.js";
import { rpcTransportOfSuite } from "../testing/rpc-transport.js";
import { createServiceClient, type ServiceClient } from "./client.js";
import { Connections } from "./connections.js";
import type { ClientStage } from "./outgoing-call.js";

const policy: ServicePolicy<typeof UserService> = {
  createUser: {},
  getUser: { timeoutMs: 5_000 },
  listUsers: {},
  createUsers: {},
  chat: {},
};

const connections = new Connections({ transport: rpcTransportOfSuite });
afterAll(() => connections.close());
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Users = Partial<ServiceImpl<typeof UserService>>;

async function serve(users: Users): Promise<{ listener: Listener; baseUrl: string }> {
  const handlers = createServerAdapter({
    transport: rpcTransportOfSuite,
    routes: (router: ConnectRouter) => router.service(UserService, users),
  });
  const listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
  cleanups.push(() => listener.drain(0));
  return { listener, baseUrl: `http://127.0.0.1:${listener.port}` };
}

async function clientOf(users: Users, policyOf = policy): Promise<ServiceClient<typeof UserService>> {
  return createServiceClient(UserService, policyOf, { connections, ...(await serve(users)) });
}

function contextOf(
  init: { timeoutMs?: number; requestSignal?: AbortSignal; requestHeader?: Record<string, string> } = {},
): Context {
  const method = UserService.method.getUser;
  const from = { service: UserService, method, protocolName: "grpc", requestMethod: "POST", url: "http://a/", ...init };
  return new ConnectCall(createHandlerContext(from), method, {}, undefined).context;
}

/** The URL of an address each of whose connections behaves as it is told, or goes on to a port. */
async function connectionsTo(behaviour: () => number | ((socket: Socket) => void)): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    const to = behaviour();
    if (typeof to === "function") {
      to(socket);
      return;
    }
    const onward = connect(to, "127.0.0.1").on("error", () => undefined);
    socket.pipe(onward).pipe(socket);
  }).listen(0, "127.0.0.1");
  cleanups.push(() => server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

const forever = <T>() => new Promise<T>(() => undefined);
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => "answered",
    (error: ConnectError) => `${Code[error.code]}, ${failureOf(error)}: ${error.rawMessage}`,
  );

test("a response may be larger than the largest request", async () => {
  const displayName = "a".repeat(5 * 1024 * 1024);
  const users = await clientOf({ getUser: ({ id }) => ({ id, displayName }) });
  expect((await users.getUser({ id: "a" })).displayName).toHaveLength(displayName.length);
});

test("the client's types follow the contract's", () => {
  type Client = ServiceClient<typeof UserService>;
  expectTypeOf<Client["getUser"]>().parameter(1).toEqualTypeOf<Context | CallOptions | undefined>();
  expectTypeOf<Client["getUser"]>().returns.toEqualTypeOf<Promise<User>>();
  expectTypeOf<Client["listUsers"]>().returns.toEqualTypeOf<AsyncIterable<User>>();
  expectTypeOf<Client["getUser"]>().toBeCallableWith({ id: "a" }, contextOf());
  expectTypeOf<Client["getUser"]>().toBeCallableWith({ id: "a" }, { headers: { a: "b" } });
  expectTypeOf<Client["createUsers"]>().parameter(0).toExtend<AsyncIterable<unknown>>();
  // @ts-expect-error an idempotency key is no field of this request
  expectTypeOf<Client["getUser"]>().toBeCallableWith({ requestId: "a" });
  // @ts-expect-error a policy must cover every method
  const partial: ServicePolicy<typeof UserService> = { getUser: {} };
  expect(partial).toBeDefined();
});

test("calls all four kinds of methods", async () => {
  const users = await clientOf({
    getUser: ({ id }) => ({ id }),
    async *listUsers() {
      yield* [{ id: "a" }, { id: "b" }];
    },
    async createUsers(requests) {
      const users = [];
      for await (const { user } of requests) users.push({ id: user?.email ?? "" });
      return { users };
    },
    async *chat(requests) {
      for await (const { text } of requests) yield { text: text.toUpperCase() };
    },
  });
  const context = contextOf({ timeoutMs: 5_000 });
  async function* each<T>(...items: T[]) {
    yield* items;
  }
  expect((await users.getUser({ id: "a" }, context)).id).toBe("a");
  expect((await users.createUsers(each({ user: { email: "e" } }), context)).users[0]?.id).toBe("e");
  const streamed: string[] = [];
  for await (const { id } of users.listUsers({}, context)) streamed.push(id);
  for await (const { text } of users.chat(each({ text: "x" }), context)) streamed.push(text);
  expect(streamed).toEqual(["a", "b", "X"]);
});

test("a transport of one's own may be given; one of both must be", async () => {
  const transport = createRouterTransport((router) => router.service(UserService, { getUser: ({ id }) => ({ id }) }));
  expect((await createServiceClient(UserService, policy, { transport }).getUser({ id: "a" })).id).toBe("a");
  expect(() => createServiceClient(UserService, policy, {})).toThrow("needs a baseUrl or a transport");
});

describe("what is passed on", () => {
  async function seen(context?: Context | CallOptions, policyOf = policy): Promise<HandlerContext> {
    let seen: HandlerContext | undefined;
    const users = await clientOf(
      {
        getUser(_request, handlerContext) {
          seen = handlerContext;
          return {};
        },
      },
      policyOf,
    );
    await users.getUser({ id: "a" }, context);
    return seen as HandlerContext;
  }

  test("the time that is left, of the caller's deadline or the contract's", async () => {
    const headers = await Promise.all([
      seen(),
      seen(contextOf({ timeoutMs: 1_000 })),
      seen(contextOf({ timeoutMs: 60_000 })),
      seen({ timeoutMs: 1_000 }),
      seen({ timeoutMs: 0 }),
      // Clocks have fractions, and no protocol takes one.
      seen(contextOf({ timeoutMs: 4_999.018626 })),
      seen({ timeoutMs: 1_000.5 }),
      seen({}, { ...policy, getUser: {} }),
    ]);
    const seconds = headers.map(({ requestHeader }) => {
      const timeout = requestHeader.get("grpc-timeout");
      return timeout && Math.ceil(Number.parseInt(timeout, 10) / 1000);
    });
    expect(seconds).toEqual([5, 1, 5, 1, 5, 5, 1, null]);
  });

  test("the trace and the request's name, but no credentials", async () => {
    const requestHeader = { traceparent: "00-1-2-01", "x-request-id": "r", authorization: "secret" };
    const header = (await seen(contextOf({ requestHeader }))).requestHeader;
    expect(header.get("traceparent")).toBe("00-1-2-01");
    expect(header.get("x-request-id")).toBe("r");
    expect(header.get("authorization")).toBeNull();
    expect(header.get(timingRequestHeader)).toBeNull();
  });

  test("the wish to be timed, and what the peer measured comes back, also with an error", async () => {
    const users = await clientOf({
      getUser: ({ id }, { requestHeader, responseHeader }) =>
        timedCall({ requestHeader, responseHeader }, "users", undefined, async () => {
          if (id === "") throw new ConnectError("no id", Code.InvalidArgument);
          return { id };
        }),
    });
    const call = { requestHeader: new Headers({ [timingRequestHeader]: "1" }), responseHeader: new Headers() };
    await timedCall(call, "orders", undefined, async () => {
      await users.getUser({ id: "a" }, contextOf());
      await users.getUser({ id: "" }, contextOf()).catch(() => undefined);
    });
    expect(call.responseHeader.get(timingHeader)).toMatch(
      /^orders;dur=[\d.]+, users;dur=[\d.]+, users;desc="failed";dur=[\d.]+$/,
    );
  });
});

describe("a call that does not end well", () => {
  test("no time left: the peer is not called", async () => {
    const users = createServiceClient(UserService, policy, { connections, baseUrl: "http://127.0.0.1:1" });
    expect(await failure(users.getUser({}, contextOf({ timeoutMs: 0 })))).toBe(
      "DeadlineExceeded, timeout: no time is left to call shop.users.v1.UserService/GetUser",
    );
  });

  test("the deadline passes", async () => {
    const users = await clientOf({ getUser: () => forever() }, { ...policy, getUser: { timeoutMs: 20 } });
    expect(await failure(users.getUser({}))).toBe(
      "DeadlineExceeded, timeout: shop.users.v1.UserService/GetUser did not answer within 20 ms",
    );
  });

  test("the caller leaves: the peer hears of it, and no listener stays", async () => {
    const caller = new AbortController();
    let peerAborted: Promise<unknown> = forever();
    const users = await clientOf({
      getUser(_request, { signal }) {
        peerAborted = once(signal, "abort");
        caller.abort();
        return forever();
      },
    });
    expect(await failure(users.getUser({}, { signal: caller.signal }))).toMatch(/^Canceled, canceled/);
    await peerAborted;
    expect(getEventListeners(caller.signal, "abort")).toHaveLength(0);
  });

  test("the consumer of a stream stops early: the peer hears of it, and no listener stays", async () => {
    const caller = new AbortController();
    let peerAborted: Promise<unknown> = forever();
    const users = await clientOf({
      async *listUsers(_request, { signal }) {
        peerAborted = once(signal, "abort");
        yield { id: "a" };
        await forever();
      },
    });
    for await (const { id } of users.listUsers({}, { signal: caller.signal })) if (id === "a") break;
    await peerAborted;
    expect(getEventListeners(caller.signal, "abort")).toHaveLength(0);
  });

  test("the peer's own error comes through, without the headers of its answer", async () => {
    const refuse = () => {
      throw new ConnectError("no such user", Code.NotFound, { "retry-after": "5" });
    };
    const { baseUrl } = await serve({ getUser: refuse });
    for (const options of [
      { connections, baseUrl },
      { transport: createConnectTransport({ baseUrl, httpVersion: "1.1" }) },
    ]) {
      const error = await createServiceClient(UserService, policy, options).getUser({}).catch(ConnectError.from);
      expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "no such user" });
      expect([...(error as ConnectError).metadata]).toEqual([["retry-after", "5"]]);
    }
  });

  test("a message that cannot be written is not the peer's fault", async () => {
    const users = await clientOf({ createUser: () => ({}) });
    const bad = { user: { createTime: { nanos: 1.5 } } };
    expect(await failure(users.createUser(bad))).toMatch(/^Internal, undefined: .*1.5 is no 32-bit integer/);
  });
});

describe("a peer that is not there is UNAVAILABLE, by its service's name and without its address", () => {
  const text = "the connection to shop.users.v1.UserService broke before it had answered";
  const broke = `Unavailable, broken: ${text}`;
  const unreachable = "Unavailable, unreachable: shop.users.v1.UserService cannot be reached";
  // connect-node sends a call before it knows whom it is connected to.
  const unsent = rpcTransportOfSuite === "native" ? unreachable : broke;
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const goAway = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

  test("refused", async () => {
    const { listener, baseUrl } = await serve({});
    await listener.drain(0);
    const users = createServiceClient(UserService, policy, { connections, baseUrl });
    expect(await failure(users.getUser({}))).toBe(unreachable);
    expect(await failure(users.listUsers({})[Symbol.asyncIterator]().next())).toBe(unreachable);
  });

  test("unknown", async () => {
    const users = createServiceClient(UserService, policy, { connections, baseUrl: "http://users.invalid" });
    expect(await failure(users.getUser({}))).toBe(unreachable);
  });

  test.each<[string, string, (socket: Socket) => void]>([
    ["closed at once", unsent, (socket) => socket.end()],
    ["reset", unsent, (socket) => socket.once("data", () => socket.resetAndDestroy())],
    [
      "reset after the handshake",
      broke,
      (socket) => socket.write(settings, () => socket.once("data", () => socket.resetAndDestroy())),
    ],
    [
      "refused by GOAWAY",
      `Unavailable, refused: ${text}`,
      (socket) => socket.write(settings, () => socket.once("data", () => socket.write(goAway))),
    ],
    [
      "another protocol's",
      unsent,
      (socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
    ],
  ])("%s", async (_name, expected, behave) => {
    const users = createServiceClient(UserService, policy, { connections, baseUrl: await connectionsTo(() => behave) });
    expect(await failure(users.getUser({}))).toBe(expected);
  });

  test("gone in the middle of a call, and back", async () => {
    const { listener, baseUrl } = await serve({
      async *listUsers() {
        yield { id: "a" };
        await forever();
      },
    });
    const users = createServiceClient(UserService, policy, { connections, baseUrl });
    const stream = users.listUsers({})[Symbol.asyncIterator]();
    await stream.next();
    const next = failure(stream.next());
    await listener.drain(0);
    expect(await next).toBe(broke);
    const handlers = createServerAdapter({
      transport: rpcTransportOfSuite,
      routes: (router) => router.service(UserService, { getUser: ({ id }) => ({ id }) }),
    });
    const again = await listen({ ...handlers, host: "127.0.0.1", port: listener.port });
    cleanups.push(() => again.drain(0));
    expect((await users.getUser({ id: "a" })).id).toBe("a");
  });

  describe("a call that is refused unseen", () => {
    const refuse = (socket: Socket) => socket.write(settings, () => socket.once("data", () => socket.write(goAway)));
    let opened = 0;

    async function refusedOnce(users: Users): Promise<ServiceClient<typeof UserService>> {
      const { listener } = await serve(users);
      opened = 0;
      const baseUrl = await connectionsTo(() => (++opened === 1 ? refuse : listener.port));
      return createServiceClient(UserService, policy, { connections, baseUrl });
    }

    test("is sent again on a new connection", async () => {
      const users = await refusedOnce({ getUser: ({ id }) => ({ id }) });
      expect((await users.getUser({ id: "a" })).id).toBe("a");
      expect(opened).toBe(2);
    });

    test("is sent again if its answers are streamed", async () => {
      const users = await refusedOnce({
        async *listUsers() {
          yield* [{ id: "a" }, { id: "b" }];
        },
      });
      const ids: string[] = [];
      for await (const { id } of users.listUsers({})) ids.push(id);
      expect(ids).toEqual(["a", "b"]);
      expect(opened).toBe(2);
    });

    test("is not sent again if its requests are streamed: they may have been read", async () => {
      const users = await refusedOnce({ createUsers: async () => ({ users: [] }) });
      async function* none() {}
      expect(await failure(users.createUsers(none()))).toBe(`Unavailable, refused: ${text}`);
      expect((await users.createUsers(none())).users).toEqual([]);
    });
  });

  test("a peer that drains keeps its streams, and new calls go elsewhere", async () => {
    const chat = async function* (requests: AsyncIterable<{ text: string }>) {
      for await (const { text } of requests) yield { text: `old ${text}` };
    };
    const [old, next] = [await serve({ chat }), await serve({ getUser: () => ({ id: "next" }) })];
    let opened = 0;
    const baseUrl = await connectionsTo(() => (++opened === 1 ? old.listener.port : next.listener.port));
    const users = createServiceClient(UserService, policy, { connections, baseUrl });
    const said = new EventEmitter();
    async function* requests() {
      yield { text: "a" };
      for await (const [text] of on(said, "text", { close: ["end"] })) yield { text };
    }
    const texts = users.chat(requests())[Symbol.asyncIterator]();
    expect((await texts.next()).value).toMatchObject({ text: "old a" });
    const drained = old.listener.drain(20_000);
    // Until its GOAWAY has come, a call may still go to it.
    const answers = async () => (await users.getUser({ id: "b" }).catch(() => ({ id: "" }))).id;
    while ((await answers()) !== "next");
    said.emit("text", "b");
    expect((await texts.next()).value).toMatchObject({ text: "old b" });
    said.emit("end");
    expect((await texts.next()).done).toBe(true);
    await drained;
    expect(opened).toBe(2);
  });
});

describe("interceptors", () => {
  const getUser = ({ id }: { id: string }, context: HandlerContext) => {
    if (id === "") throw new ConnectError("no id", Code.InvalidArgument);
    return { id: `${id} ${context.requestHeader.get("x-seen")}` };
  };

  async function intercepted(...interceptors: ClientStage[]): Promise<ServiceClient<typeof UserService>> {
    const users: Users = {
      getUser,
      async *listUsers(_, context) {
        yield { id: context.requestHeader.get("x-seen") ?? "" };
        yield { id: "b" };
      },
      async createUsers(requests, context) {
        const users = [{ id: context.requestHeader.get("x-seen") ?? "" }];
        for await (const { user } of requests) users.push({ id: user?.email ?? "" });
        return { users };
      },
    };
    const { baseUrl } = await serve(users);
    return createServiceClient(UserService, policy, { connections, baseUrl, interceptors });
  }

  const seen =
    (name: string): ClientStage =>
    (next) =>
    (call) => {
      call.requestHeader.append("x-seen", name);
      return next(call);
    };

  test("see every kind of call, the first of them first", async () => {
    const users = await intercepted(seen("a"), seen("b"));
    async function* one() {
      yield { user: { email: "e" } };
    }
    expect((await users.getUser({ id: "1" })).id).toBe("1 a, b");
    expect((await users.createUsers(one())).users.map(({ id }) => id)).toEqual(["a, b", "e"]);
    const ids: string[] = [];
    for await (const { id } of users.listUsers({})) ids.push(id);
    expect(ids).toEqual(["a, b", "b"]);
  });

  test("are asked once for each method, not for each call", async () => {
    let asked = 0;
    const users = await intercepted((next) => {
      asked++;
      return next;
    });
    await Promise.all([users.getUser({ id: "1" }), users.getUser({ id: "2" })]);
    expect(asked).toBe(UserService.methods.length);
  });

  test("may wait first, change the call, its response and its error, and answer by themselves", async () => {
    const failures: unknown[] = [];
    const users = await intercepted(
      (next) => async (call) => {
        await sleep(1);
        const { id } = call.request as { id?: string };
        if (id === "mine") return { id };
        if (call.method.methodKind !== "unary") return next(call);
        try {
          call.request = { id: id && `${id}!` };
          const user = (await next(call)) as User;
          return { ...user, id: `<${user.id}>` };
        } catch (error) {
          failures.push([failureOf(error), (error as ConnectError).rawMessage]);
          throw new ConnectError("refused here", Code.Aborted);
        }
      },
      seen("a"),
    );
    expect((await users.getUser({ id: "1" })).id).toBe("<1! a>");
    expect((await users.getUser({ id: "mine" })).id).toBe("mine");
    expect(await failure(users.getUser({ id: "" }))).toBe("Aborted, undefined: refused here");
    expect(failures).toEqual([["answered", "no id"]]);
    const ids: string[] = [];
    for await (const { id } of users.listUsers({})) ids.push(id);
    expect(ids).toEqual(["a", "b"]);
  });

  test("stand within the deadline: what they take is no longer left, and they may shorten it", async () => {
    const { baseUrl } = await serve({ getUser: () => forever() });
    const policyOf = { ...policy, getUser: { timeoutMs: 60_000 } };
    const slow: ClientStage = (next) => async (call) => {
      await sleep(100);
      return next(call);
    };
    const called = { timeoutMs: 50 };
    const late = createServiceClient(UserService, policyOf, { connections, baseUrl, interceptors: [slow] });
    expect(await failure(late.getUser({}, called))).toBe(
      "DeadlineExceeded, timeout: shop.users.v1.UserService/GetUser did not answer within 50 ms",
    );
    const short: ClientStage = (next) => (call) => {
      call.limit(20);
      return next(call);
    };
    const limited = createServiceClient(UserService, policyOf, { connections, baseUrl, interceptors: [short] });
    expect(await failure(limited.getUser({}))).toMatch("did not answer within 20 ms");
  });

  test("stand before a transport of Connect's, too, and their errors are the caller's", async () => {
    const transport = createRouterTransport((router) => router.service(UserService, { getUser }));
    const thrown: ClientStage = () => () => {
      throw new ConnectError("not today", Code.Unavailable);
    };
    const users = createServiceClient(UserService, policy, { transport, interceptors: [seen("a")] });
    expect((await users.getUser({ id: "1" })).id).toBe("1 a");
    const never = createServiceClient(UserService, policy, { transport, interceptors: [thrown] });
    expect(await failure(never.getUser({ id: "1" }))).toBe("Unavailable, undefined: not today");
    expect(await failure(never.listUsers({})[Symbol.asyncIterator]().next())).toBe("Unavailable, undefined: not today");
  });
});
