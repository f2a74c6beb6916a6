import { Code, ConnectError, type ConnectRouter, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { userServicePolicy } from "@shop/generated/shop/users/v1/users_policy.js";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Context } from "../call/context.js";
import type { ServerStage } from "../call/incoming-call.js";
import { createNativeTransport } from "../grpc/client-transport.js";
import { ServerCall } from "../grpc/server-call.js";
import { createLogger } from "../observe/log.js";
import { createServerAdapter } from "./adapter.js";
import { handlerRoutes } from "./handlers.js";
import { type Listener, listen } from "./listen.js";

/** What the stages and the handlers saw, in order. */
let seen: string[] = [];
let listener: Listener;

const noted =
  (name: string): ServerStage =>
  (next) =>
  async (call) => {
    seen.push(`${name} ${call.method.name}`);
    try {
      return await next(call);
    } catch (error) {
      seen.push(`${name} ${Code[ConnectError.from(error).code]}`);
      throw error;
    }
  };

const authenticated: ServerStage = (next) => (call) => {
  const user = call.header("x-user");
  if (user === undefined) throw new ConnectError("who are you?", Code.Unauthenticated);
  call.caller = { subject: user };
  if (call instanceof ServerCall) seen.push("native");
  return next(call);
};

const handlers = {
  ...Object.fromEntries(UserService.methods.map(({ localName }) => [localName, () => ({})])),
  getUser({ id }: { id: string }, { caller }: Context) {
    seen.push(`handler ${caller?.subject}`);
    return { id };
  },
  async *listUsers(_request: object, { caller }: Context) {
    yield { id: "1" };
    yield { id: caller?.subject };
  },
  async createUsers(requests: AsyncIterable<object>, { caller }: Context) {
    let count = 0;
    for await (const _ of requests) count++;
    seen.push(`${count} of ${caller?.subject}`);
    return {};
  },
};

beforeAll(async () => {
  const routes: (router: ConnectRouter) => void = handlerRoutes(
    { service: UserService, policy: userServicePolicy, name: "users" },
    handlers,
    {
      log: createLogger({ name: "users", level: "silent" }),
      draining: new AbortController().signal,
      interceptors: [noted("outer"), authenticated, noted("inner")],
    },
  );
  listener = await listen({ ...createServerAdapter({ routes }), host: "127.0.0.1", port: 0 });
});
afterAll(() => listener.drain(100));
beforeEach(() => {
  seen = [];
});

const transports: Readonly<Record<string, (baseUrl: string) => Transport>> = {
  "native gRPC": (baseUrl) => createNativeTransport(baseUrl),
  "gRPC over node:http2": (baseUrl) => createGrpcTransport({ baseUrl }),
  "gRPC-Web": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect in JSON": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
};

describe.each(Object.entries(transports))("over %s", (name, open) => {
  const users = () => createClient(UserService, open(`http://127.0.0.1:${listener.port}`));
  const ada = { headers: { "x-user": "ada" } };
  const native = name.startsWith("gRPC over") || name.startsWith("native") ? ["native"] : [];

  test("stages run in their order, and tell the handler who calls", async () => {
    expect(await users().getUser({ id: "u1" }, ada)).toMatchObject({ id: "u1" });
    expect(seen).toEqual(["outer GetUser", ...native, "inner GetUser", "handler ada"]);
  });

  test("a stage refuses a call before its request is validated, and those around it see the refusal", async () => {
    const refused = users().getUser({ id: "" });
    await expect(refused).rejects.toMatchObject({ code: Code.Unauthenticated, rawMessage: "who are you?" });
    expect(seen).toEqual(["outer GetUser", "outer Unauthenticated"]);
  });

  test("a refusal of what stands behind a stage passes through it", async () => {
    await expect(users().getUser({ id: "" }, ada)).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect(seen).toEqual([
      "outer GetUser",
      ...native,
      "inner GetUser",
      "inner InvalidArgument",
      "outer InvalidArgument",
    ]);
  });

  test("an async stage stands before a stream of responses, too", async () => {
    const ids: string[] = [];
    for await (const { id } of users().listUsers({}, ada)) ids.push(id);
    expect(ids).toEqual(["1", "ada"]);
    expect(seen).toEqual(["outer ListUsers", ...native, "inner ListUsers"]);
    const refused = users().listUsers({})[Symbol.asyncIterator]().next();
    await expect(refused).rejects.toMatchObject({ code: Code.Unauthenticated });
  });
});

test("a stage stands before a stream of requests", async () => {
  const users = createClient(UserService, createNativeTransport(`http://127.0.0.1:${listener.port}`));
  async function* two() {
    yield { requestId: "a", user: { displayName: "Ada", email: "ada@shop.example" } };
    yield { requestId: "b", user: { displayName: "Bob", email: "bob@shop.example" } };
  }
  await users.createUsers(two(), { headers: { "x-user": "ada" } });
  expect(seen).toEqual(["outer CreateUsers", "native", "inner CreateUsers", "2 of ada"]);
});
