import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import { GetUserRequestSchema, UserSchema, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Context } from "../call/context.js";
import { createServiceClient } from "../client/client.js";
import { Connections, type ConnectionsOptions } from "../client/connections.js";
import type { RpcTransport } from "../config/transport.js";
import { createNativeTransport } from "../grpc/client-transport.js";
import { compressFrame } from "../grpc/gzip.js";
import { Flag, FrameType } from "../http2/frames.js";
import { frame, message, Peer } from "../http2/testing/peer.js";
import { createLogger } from "../observe/log.js";
import type { MessageCompression, ServicePolicy } from "../spec/policy.js";
import type { ServiceSpec } from "../spec/service.js";
import { createServerAdapter } from "./adapter.js";
import { handlerRoutes } from "./handlers.js";
import { type Listener, listen } from "./listen.js";

const long = "abc ".repeat(10_000);
const path = "/shop.users.v1.UserService/GetUser";
let listener: Listener;
let asked: Headers | undefined;
const cleanups: (() => unknown)[] = [];

async function start(transport: RpcTransport = "native"): Promise<void> {
  const handlers = createServerAdapter({
    transport,
    routes: (router) =>
      router.service(UserService, {
        getUser({ id }, { requestHeader }) {
          asked = requestHeader;
          return { id: id === "long" ? long : id };
        },
        async *listUsers() {
          yield { id: "short" };
          yield { id: long };
        },
      }),
  });
  listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
}

beforeEach(() => {
  asked = undefined;
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  await listener.drain(0);
});

describe("over gRPC, answers", () => {
  async function ask(id: string, accepted: readonly string[], method = path) {
    await start();
    const peer = await Peer.connect(listener.port);
    cleanups.push(() => peer.socket.destroy());
    const body = message(toBinary(GetUserRequestSchema, { $typeName: "shop.users.v1.GetUserRequest", id }));
    peer.write(peer.call(1, method, accepted), frame(FrameType.DATA, Flag.END_STREAM, 1, body));
    expect(await peer.end(1)).toBe("grpc-status 0");
    const frames = peer.frames.filter(({ stream }) => stream === 1);
    const data = Buffer.concat(frames.filter(({ type }) => type === FrameType.DATA).map(({ payload }) => payload));
    return { encoding: peer.fields(frames[0]!)["grpc-encoding"], data };
  }

  test.each(["gzip", "identity,deflate,gzip", "br, gzip"])(
    "that are long are compressed for those who accept %s",
    async (accepted) => {
      const { encoding, data } = await ask("long", ["grpc-accept-encoding", accepted]);
      expect(encoding).toBe("gzip");
      expect(data[0]).toBe(1);
      expect(data.length).toBeLessThan(1_000);
      expect(fromBinary(UserSchema, gunzipSync(data.subarray(5))).id).toBe(long);
    },
  );

  test.each([
    ["that are short", "a", ["grpc-accept-encoding", "gzip"]],
    ["for those who do not say what they accept", "long", []],
    ["for those who accept other encodings", "long", ["grpc-accept-encoding", "identity,xgzip,br"]],
  ])("%s are sent as they are", async (_name, id, accepted) => {
    const { encoding, data } = await ask(id, accepted);
    expect(encoding).toBeUndefined();
    expect(data[0]).toBe(0);
  });

  test("of a stream are compressed each by its length", async () => {
    const { encoding, data } = await ask("", ["grpc-accept-encoding", "gzip"], "/shop.users.v1.UserService/ListUsers");
    expect(encoding).toBe("gzip");
    const second = 5 + data.readUInt32BE(1);
    expect([data[0], data[second]]).toEqual([0, 1]);
    expect(fromBinary(UserSchema, gunzipSync(data.subarray(second + 5))).id).toBe(long);
  });

  test("that do not get much shorter are sent as they are", async () => {
    await start();
    const framed = message(randomBytes(20_000));
    expect(Buffer.from(await compressFrame(framed)).equals(framed)).toBe(true);
  });
});

test.each<[RpcTransport, string]>([
  ["native", "gzip"],
  ["native", "br"],
  ["node", "gzip"],
])("over Connect and HTTP/1.1 (%s), long answers are sent with %s", async (transport, encoding) => {
  await start(transport);
  const get = (id: string) =>
    new Promise<unknown>((resolve) => {
      const query = `connect=v1&encoding=json&message=${encodeURIComponent(JSON.stringify({ id }))}`;
      const headers = { "accept-encoding": encoding };
      httpRequest({ port: listener.port, path: `${path}?${query}`, headers }, (response) => {
        response.resume().on("end", () => resolve(response.headers["content-encoding"]));
      }).end();
    });
  expect(await get("long")).toBe(encoding);
  expect(await get("a")).toBeUndefined();
});

describe.each<RpcTransport>(["native", "node"])("over Connect and HTTP/1.1 (%s), Accept-Encoding", (transport) => {
  async function ask(accepted: string | undefined, id: string, method = "GET") {
    const json = JSON.stringify({ id });
    const query = method === "GET" ? `?connect=v1&encoding=json&message=${encodeURIComponent(json)}` : "";
    const headers = {
      ...(accepted === undefined ? {} : { "accept-encoding": accepted }),
      ...(method === "POST" ? { "content-type": "application/json" } : {}),
    };
    const options = { method, port: listener.port, path: `${path}${query}`, headers };
    const [response] = (await once(httpRequest(options).end(query === "" ? json : undefined), "response")) as [
      IncomingMessage,
    ];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { vary, "content-encoding": encoding } = response.headers;
    const text = encoding === "gzip" ? gunzipSync(body) : encoding === "br" ? brotliDecompressSync(body) : body;
    expect(JSON.parse(text.toString()).id).toBe(id === "long" ? long : id);
    expect(vary).toBe("Accept-Encoding");
    return encoding;
  }

  test.each([
    ["gzip;q=0", undefined],
    ["gzip;q=0.000, br;q=0.5", "br"],
    ["gzip;q=0, *", "br"],
    ["*", "gzip"],
    ["*;q=0", undefined],
    ["GZIP", "gzip"],
    ["x-gzip", "gzip"],
    ["deflate, br;q=0.2, gzip ; q=0.8", "gzip"],
    ["br, gzip", "br"],
    ["identity, gzip;q=0.5", undefined],
    ["identity;q=0.1, gzip;q=0.5", "gzip"],
    ["gzip;q=2", undefined],
    ["zstd", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("%s has a long answer sent with %s", async (accepted, encoding) => {
    await start(transport);
    expect(await ask(accepted, "long")).toBe(encoding);
    expect(await ask(accepted, "long", "POST")).toBe(encoding);
  });

  test("that refuses identity has short answers encoded, too, if there is an encoding for them", async () => {
    await start(transport);
    expect(await ask("identity;q=0, gzip", "a")).toBe("gzip");
    expect(await ask("*;q=0, br", "a")).toBe("br");
    expect(await ask("identity;q=0, zstd", "a")).toBeUndefined();
    expect(await ask("gzip", "a")).toBeUndefined();
  });
});

describe.each<RpcTransport>(["native", "node"])("clients (%s)", (kind) => {
  async function both(transport: Transport) {
    const users = createClient(UserService, transport);
    expect((await users.getUser({ id: "long" })).id).toBe(long);
    const seen = asked;
    // What is sent is as long, so that it is compressed as well.
    expect((await users.getUser({ id: long })).id).toBe(long);
    const listed: string[] = [];
    for await (const { id } of users.listUsers({})) listed.push(id);
    expect(listed).toEqual(["short", long]);
    return [seen?.get("grpc-encoding") ?? null, seen?.get("grpc-accept-encoding")?.includes("gzip") ?? false];
  }

  async function to(compress: boolean, ownOption?: boolean): Promise<Transport> {
    await start(kind);
    const connections = new Connections({ transport: kind, compress });
    cleanups.push(() => connections.close());
    return connections.carrierTo(`http://127.0.0.1:${listener.port}`, ownOption).transport;
  }

  test("neither compress nor ask for it, unless they are told to", async () => {
    expect(await both(await to(false))).toEqual([null, false]);
  });

  test("do both by their connections or an option of their own", async () => {
    expect(await both(await to(true))).toEqual(["gzip", true]);
    expect(await both(await to(false, true))).toEqual(["gzip", true]);
  });

  test("do neither by an option of their own", async () => {
    expect(await both(await to(true, false))).toEqual([null, false]);
  });
});

test("our own transport understands answers that it did not ask to be compressed", async () => {
  await start();
  const transport = createNativeTransport(`http://127.0.0.1:${listener.port}`);
  cleanups.push(() => transport.close());
  const users = createClient(UserService, transport);
  expect((await users.getUser({ id: "long" }, { headers: { "grpc-accept-encoding": "gzip" } })).id).toBe(long);
});

describe.each<RpcTransport>(["native", "node"])("a contract's compression (%s)", (kind) => {
  /** Calls a method whose contract says `compression`; returns what the client said, and how the response came. */
  async function call(
    compression: MessageCompression,
    options: { compress?: boolean } = {},
    by: ConnectionsOptions = {},
  ) {
    const connections = new Connections({ transport: kind, ...by });
    cleanups.push(() => connections.close());
    const policy = Object.fromEntries(UserService.methods.map(({ localName }) => [localName, { compression }]));
    const spec = { service: UserService, policy, name: "users" };
    const handlers = Object.fromEntries(UserService.methods.map(({ localName }) => [localName, () => ({})]));
    const routes = handlerRoutes(
      spec as unknown as ServiceSpec,
      {
        ...handlers,
        getUser({ id }: { id: string }, { requestHeader }: Context) {
          asked = requestHeader;
          return { id };
        },
      },
      { log: createLogger({ name: "users", level: "silent" }), draining: new AbortController().signal },
    );
    listener = await listen({ ...createServerAdapter({ transport: kind, routes }), host: "127.0.0.1", port: 0 });
    const baseUrl = `http://127.0.0.1:${listener.port}`;
    const users = createServiceClient(UserService, policy as ServicePolicy<typeof UserService>, {
      baseUrl,
      connections,
      ...options,
    });
    let header: Headers | undefined;
    const id = "abc ".repeat(500);
    expect((await users.getUser({ id }, { onHeader: (headers) => (header = headers) })).id).toBe(id);
    const request = asked?.get("grpc-encoding") ?? null;
    const connect = await fetch(`${baseUrl}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "accept-encoding": "gzip" },
      body: JSON.stringify({ id }),
    });
    expect(await connect.json()).toMatchObject({ id });
    return {
      request,
      response: header?.get("grpc-encoding") ?? null,
      connect: connect.headers.get("content-encoding"),
    };
  }

  test("has clients compress, and services from the length that it says", async () => {
    expect(await call({ algorithm: "gzip", minBytes: 1_000 })).toEqual({
      request: "gzip",
      response: "gzip",
      connect: "gzip",
    });
  });

  test("that says a length alone leaves clients to their connections", async () => {
    expect(await call({ minBytes: 1_000 })).toEqual({ request: null, response: null, connect: "gzip" });
  });

  test("that says never holds whatever their connections say", async () => {
    expect(await call({ algorithm: "identity" }, {}, { compress: true })).toEqual({
      request: null,
      response: null,
      connect: null,
    });
  });

  test("gives way to a client's own option", async () => {
    expect((await call({ algorithm: "gzip" }, { compress: false })).request).toBeNull();
  });
});
