import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import * as grpc from "@grpc/grpc-js";
import { type User, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, describe, expect, test } from "vitest";
import { BadRequestSchema } from "../options/google/rpc/error_details_pb.js";
import { createServerAdapter } from "../server/adapter.js";
import { type Listener, listen } from "../server/listen.js";
import { createNativeTransport } from "./client-transport.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const name = "x".repeat(50_000);
async function* each<T>(...items: T[]) {
  yield* items;
}

/** Our server, with a handler for everything that is asked below. */
async function serve(): Promise<Listener> {
  const handlers = createServerAdapter({
    transport: "native",
    routes: (router) =>
      router.service(UserService, {
        async getUser({ id }, { requestHeader, responseHeader, responseTrailer, signal }) {
          if (id === "fail") {
            const value = { fieldViolations: [{ field: "id", description: "nein, größer" }] };
            throw new ConnectError("100 % größer", Code.InvalidArgument, { "x-more": "m" }, [
              { desc: BadRequestSchema, value },
            ]);
          }
          if (id === "wait") await new Promise((resolve) => signal.addEventListener("abort", resolve));
          responseHeader.set("x-head", requestHeader.get("x-asked") ?? "");
          responseTrailer.set("x-bytes-bin", requestHeader.get("x-bytes-bin") ?? "");
          return { id, displayName: name };
        },
        async *listUsers() {
          for (let i = 0; i < 100; i++) yield { id: `${i}`, displayName: name };
        },
        async createUsers(requests) {
          const users = [];
          for await (const { user } of requests) users.push({ id: user?.email ?? "" });
          return { users };
        },
        async *chat(requests) {
          for await (const { text } of requests) yield { text: text.toUpperCase() };
        },
      }),
  });
  const listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
  cleanups.push(() => listener.drain(0));
  return listener;
}

const writes = (type: DescMessage) => (message: unknown) => Buffer.from(toBinary(type, create(type, message as never)));
const reads = (type: DescMessage) => (bytes: Buffer) => fromBinary(type, bytes) as Message;

/** What grpc-js wants to know of a service. */
const definition: grpc.ServiceDefinition = Object.fromEntries(
  UserService.methods.map((method) => [
    method.localName,
    {
      path: `/${UserService.typeName}/${method.name}`,
      requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
      responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
      requestSerialize: writes(method.input),
      requestDeserialize: reads(method.input),
      responseSerialize: writes(method.output),
      responseDeserialize: reads(method.output),
    },
  ]),
);

describe("grpc-js calls our server", () => {
  // biome-ignore lint/suspicious/noExplicitAny: grpc-js makes its methods at run time
  async function client(options: grpc.ChannelOptions = {}): Promise<any> {
    const { port } = await serve();
    const Client = grpc.makeGenericClientConstructor(definition, "UserService");
    const made = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), options);
    cleanups.push(() => made.close());
    return made;
  }

  test.each([
    ["as it does", {}],
    ["with gzip", { "grpc.default_compression_algorithm": 2 }],
  ])("in all four ways, %s", async (_name, options) => {
    const users = await client(options);
    const metadata = new grpc.Metadata();
    metadata.set("x-asked", "yes");
    metadata.set("x-bytes-bin", Buffer.from([0, 255, 7]));
    let head: grpc.Metadata | undefined;
    let status: grpc.StatusObject | undefined;
    const one = await new Promise<User>((resolve, reject) => {
      users
        .getUser({ id: "a", displayName: name }, metadata, (error: Error | null, value: User) =>
          error ? reject(error) : resolve(value),
        )
        .on("metadata", (value: grpc.Metadata) => {
          head = value;
        })
        .on("status", (value: grpc.StatusObject) => {
          status = value;
        });
    });
    expect(one.displayName).toBe(name);
    expect(head?.get("x-head")).toEqual(["yes"]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(status?.metadata.get("x-bytes-bin")).toEqual([Buffer.from([0, 255, 7])]);

    const listed: string[] = [];
    for await (const { id } of users.listUsers({})) listed.push(id);
    expect(listed).toHaveLength(100);

    const created = await new Promise<{ users: User[] }>((resolve, reject) => {
      const call = users.createUsers((error: Error | null, value: { users: User[] }) =>
        error ? reject(error) : resolve(value),
      );
      for (let i = 0; i < 20; i++) call.write({ user: { email: `${i}`, displayName: name } });
      call.end();
    });
    expect(created.users).toHaveLength(20);

    const chat = users.chat();
    chat.write({ text: "a" });
    const [first] = await once(chat, "data");
    chat.end({ text: "b" });
    const [second] = await once(chat, "data");
    await once(chat, "end");
    expect([first.text, second.text]).toEqual(["A", "B"]);
  });

  test("and understands errors, their details, deadlines and cancellation", async () => {
    const users = await client();
    const failed = (request: object, options: object = {}) =>
      new Promise<grpc.ServiceError>((resolve) =>
        users.getUser(request, options, (error: grpc.ServiceError) => resolve(error)),
      );
    const error = await failed({ id: "fail" });
    expect([error.code, error.details]).toEqual([grpc.status.INVALID_ARGUMENT, "100 % größer"]);
    expect(error.metadata.get("x-more")).toEqual(["m"]);
    expect(error.metadata.get("grpc-status-details-bin")[0]).toBeInstanceOf(Buffer);
    expect((await failed({ id: "wait" }, { deadline: Date.now() + 30 })).code).toBe(grpc.status.DEADLINE_EXCEEDED);
    const cancelled = new Promise<grpc.ServiceError>((resolve) => {
      const call = users.getUser({ id: "wait" }, (reason: grpc.ServiceError) => resolve(reason));
      setImmediate(() => call.cancel());
    });
    expect((await cancelled).code).toBe(grpc.status.CANCELLED);
  });
});

describe("our client calls grpc-js's server", () => {
  async function client() {
    const server = new grpc.Server();
    server.addService(definition, {
      getUser(call: grpc.ServerUnaryCall<User, User>, done: grpc.sendUnaryData<object>) {
        if (call.request.id === "wait") return;
        const trailer = new grpc.Metadata();
        if (call.request.id === "fail") {
          done({ code: grpc.status.NOT_FOUND, details: "100 % größer", metadata: trailer });
          return;
        }
        const head = new grpc.Metadata();
        head.set("x-head", String(call.metadata.get("x-asked")[0]));
        call.sendMetadata(head);
        trailer.set("x-bytes-bin", Buffer.from([0, 255, 7]));
        done(null, { id: call.request.id, displayName: name }, trailer);
      },
      async listUsers(call: grpc.ServerWritableStream<object, object>) {
        for (let i = 0; i < 100; i++) if (!call.write({ id: `${i}`, displayName: name })) await once(call, "drain");
        call.end();
      },
      async createUsers(call: grpc.ServerReadableStream<{ user: User }, object>, done: grpc.sendUnaryData<object>) {
        const users: object[] = [];
        for await (const { user } of call) users.push({ id: user.email });
        done(null, { users });
      },
      chat(call: grpc.ServerDuplexStream<{ text: string }, object>) {
        call.on("data", ({ text }: { text: string }) => call.write({ text: text.toUpperCase() }));
        call.on("end", () => call.end());
      },
    });
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    cleanups.push(() => server.forceShutdown());
    const transport = createNativeTransport(`http://127.0.0.1:${port}`);
    cleanups.push(() => transport.close());
    return createClient(UserService, transport);
  }

  test("in all four ways", async () => {
    const users = await client();
    let head: Headers | undefined;
    let trailer: Headers | undefined;
    const one = await users.getUser(
      { id: "a" },
      {
        headers: { "x-asked": "yes" },
        onHeader: (value) => {
          head = value;
        },
        onTrailer: (value) => {
          trailer = value;
        },
      },
    );
    expect([one.displayName, head?.get("x-head"), trailer?.get("x-bytes-bin")]).toEqual([name, "yes", "AP8H"]);
    const listed = [];
    for await (const { id } of users.listUsers({})) listed.push(id);
    expect(listed).toHaveLength(100);
    const requests = Array.from({ length: 20 }, (_, i) => ({ user: { email: `${i}`, displayName: name } }));
    expect((await users.createUsers(each(...requests))).users).toHaveLength(20);
    const texts = [];
    for await (const { text } of users.chat(each({ text: "a" }, { text: "b" }))) texts.push(text);
    expect(texts).toEqual(["A", "B"]);
  });

  test("and understands errors, deadlines and cancellation", async () => {
    const users = await client();
    const failed = (id: string, options: object = {}) => users.getUser({ id }, options).catch(ConnectError.from);
    expect(await failed("fail")).toMatchObject({ code: Code.NotFound, rawMessage: "100 % größer" });
    expect(await failed("wait", { timeoutMs: 30 })).toMatchObject({ code: Code.DeadlineExceeded });
    expect(await failed("wait", { signal: AbortSignal.timeout(30) })).toMatchObject({ code: Code.Canceled });
  });
});

test("node's own HTTP/2 client gets what is not gRPC, too", async () => {
  const { port } = await serve();
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  cleanups.push(() => session.destroy());
  const ask = async (headers: object, body?: string) => {
    const stream = session.request({ ":method": "POST", ...headers });
    stream.end(body);
    const [head] = await once(stream, "response");
    let text = "";
    for await (const chunk of stream.setEncoding("utf8")) text += chunk;
    return [head[":status"], head["grpc-status"], text];
  };
  const path = "/shop.users.v1.UserService/GetUser";
  const [status, , text] = await ask({ ":path": path, "content-type": "application/json" }, '{"id":"a"}');
  expect([status, JSON.parse(text).id]).toEqual([200, "a"]);
  expect(await ask({ ":path": "/none" })).toEqual([404, undefined, ""]);
  expect(await ask({ ":path": "/none", "content-type": "application/grpc" })).toEqual([200, "12", ""]);
  expect(await ask({ ":path": path, "content-type": "text/plain" })).toEqual([
    415,
    undefined,
    expect.stringContaining("takes application/json, application/proto, or a content type of gRPC"),
  ]);
});
