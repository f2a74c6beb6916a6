import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileRegistry, type DescMessage, type DescService, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../generator/testing/image.js";
import { NodeSessions } from "../client/node-sessions.js";
import { nodeGrpcTransport } from "../client/node-transport.js";
import { codecOf } from "../codec/known.js";
import { readJson } from "../codec/protojson/read.js";
import { jsonOf } from "../codec/protojson/write.js";
import { rpcTransports } from "../config/transport.js";
import { createNativeTransport, type NativeTransport } from "../grpc/client-transport.js";
import { ErrorInfoSchema } from "../options/google/rpc/error_details_pb.js";
import { createServerAdapter } from "../server/adapter.js";
import { handlerRoutes } from "../server/handlers.js";
import { type Listener, listen } from "../server/listen.js";
import { inMemory } from "../service/in-memory.js";

/** Names that every object inherits, and maps of every kind. */
const contract = `syntax = "proto3";
package odd.v1;
import "google/protobuf/struct.proto";
service OddService {
  rpc Echo(Odd) returns (Odd) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc EchoMany(stream Odd) returns (stream Odd);
  rpc Repeat(Odd) returns (stream Odd);
  rpc Break(Odd) returns (Odd);
  rpc BreakMany(Odd) returns (stream Odd);
}
message Odd {
  Odd has_own_property = 1;
  Odd to_string = 2;
  Odd value_of = 3;
  Odd constructor = 4;
  Odd is_prototype_of = 5;
  Odd property_is_enumerable = 6;
  oneof to_locale_string { Odd chosen = 7; google.protobuf.Struct chosen_struct = 8; }
  map<string, Odd> named = 9;
  map<string, bytes> blobs = 10;
  map<string, google.protobuf.Struct> struct_by_name = 11;
  repeated google.protobuf.Struct structs = 12;
  google.protobuf.Value value = 13;
  google.protobuf.ListValue list = 14;
  string text = 15;
  int32 small = 16;
  uint32 natural = 17;
  int64 wide = 18;
  float float = 19;
  Color color = 20;
  double double = 21;
}
enum Color { NONE = 0; RED = 1; }
`;

const json = `{${[
  '"hasOwnProperty":{"text":"a"}',
  '"toString":{}',
  '"valueOf":{"hasOwnProperty":{}}',
  '"constructor":{"chosen":{}}',
  '"isPrototypeOf":{}',
  '"propertyIsEnumerable":{}',
  '"chosenStruct":{"__proto__":{"__proto__":1}}',
  '"named":{"__proto__":{"named":{"__proto__":{"text":"b"}}},"toString":{}}',
  '"blobs":{"__proto__":"AQ=="}',
  '"structByName":{"__proto__":{"__proto__":null}}',
  '"structs":[{"__proto__":[{"__proto__":true}]}]',
  '"value":{"__proto__":{"a":"b"}}',
  '"list":[{"__proto__":2}]',
  '"double":-0',
].join()}}`;

/** What a handler may return although it is no message, and what its error says. */
const broken: [unknown, RegExp][] = [
  [undefined, /^internal error$|this is no odd.v1.Odd, but undefined/],
  [null, /^internal error$|this is no odd.v1.Odd, but null/],
  ["text", /^internal error$|this is no odd.v1.Odd, but string/],
  [{ $typeName: "google.rpc.ErrorInfo" }, /^internal error$|this is no odd.v1.Odd, but a google.rpc.ErrorInfo/],
  [{ small: 2 ** 31 }, /2147483648/],
  [{ small: Number.NaN }, /NaN/],
  [{ small: 0.5 }, /0.5/],
  [{ natural: -1 }, /-1/],
  [{ wide: 2n ** 63n }, /9223372036854775808/],
  [{ float: 1e39 }, /1e\+39/],
  [{ color: 0.5 }, /0.5/],
  [{ named: { a: { color: "RED" } } }, /RED|string value/],
  [{ hasOwnProperty: 1 }, /./],
];

let service: DescService;
let odd: DescMessage;
const logged: unknown[] = [];
let toReturn: unknown;
let toThrow: ConnectError | undefined;

const handlers = {
  echo: (request: unknown) => request,
  echoMany: (requests: unknown) => requests,
  async *repeat(request: unknown) {
    yield request;
    yield request;
  },
  break() {
    if (toThrow !== undefined) throw toThrow;
    return toReturn;
  },
  async *breakMany() {
    yield {};
    yield toReturn;
  },
};
const log = { error: (fields: unknown) => void logged.push(fields) };

beforeAll(async () => {
  const root = await mkdtemp(join(tmpdir(), "scaffold-test-"));
  await writeFile(join(root, "odd.proto"), contract);
  service = createFileRegistry(await compile(root)).getService("odd.v1.OddService")!;
  odd = service.method.echo!.input;
  await rm(root, { recursive: true });
});

const specification = () => ({ service, policy: {}, name: "odd", codecs: [], entities: {}, peers: {}, standard: {} });

function definition() {
  return { spec: specification(), implement: () => handlers } as never;
}

function start(transport: "native" | "node"): Promise<Listener> {
  const surroundings = { log: log as never, draining: new AbortController().signal };
  const routes = handlerRoutes(specification(), handlers, surroundings);
  return listen({ ...createServerAdapter({ routes, transport }), host: "127.0.0.1", port: 0 });
}

type Methods = Record<string, (request: unknown) => Promise<Message> & AsyncIterable<Message>>;

/** Calls methods through a client. Expects exact messages, and an error for each invalid response. */
async function throughClient(transport: Transport): Promise<void> {
  const client = createClient(service, transport) as unknown as Methods;
  const message = readJson(odd, json);
  expect(jsonOf(odd, await client.echo!(message))).toBe(json);
  const all: string[] = [];
  const each = (async function* () {
    yield message;
    yield { text: "a" };
  })();
  for await (const answer of client.echoMany!(each)) all.push(jsonOf(odd, answer));
  expect(all).toEqual([json, '{"text":"a"}']);
  for (const [value, text] of broken) {
    toReturn = value;
    const failed = await client.break!({}).catch(ConnectError.from);
    expect([(failed as ConnectError).code, (failed as ConnectError).rawMessage]).toEqual([
      Code.Internal,
      expect.stringMatching(text),
    ]);
  }
}

describe.each(rpcTransports)("of a service over HTTP/2 by %s", (kind) => {
  let listener: Listener;
  let origin: string;
  beforeAll(async () => {
    listener = await start(kind);
    origin = `http://127.0.0.1:${listener.port}`;
  });
  afterAll(() => listener.drain(0));

  async function post(method: string, type: string, body: string | Uint8Array) {
    const init = { method: "POST", headers: { "content-type": type }, body: body as never };
    const response = await fetch(`${origin}/odd.v1.OddService/${method}`, init);
    return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
  }

  test("messages go unharmed through both clients", async () => {
    const native: NativeTransport = createNativeTransport(origin);
    await throughClient(native);
    native.close();
    const sessions = new NodeSessions(origin, { pingIntervalMs: 30_000, pingTimeoutMs: 5_000, tls: {} });
    await throughClient(nodeGrpcTransport(origin, sessions));
    sessions.abort();
  });

  test("messages go unharmed over Connect, its GET, and gRPC-Web, in JSON and binary", async () => {
    const binary = codecOf(odd).toBytes(readJson(odd, json));
    expect((await post("Echo", "application/json", json)).bytes.toString()).toBe(json);
    expect(Buffer.compare((await post("Echo", "application/proto", binary)).bytes, binary)).toBe(0);
    for (const protocol of ["connect", "grpc-web"]) {
      const texts = await post("Repeat", `application/${protocol}+json`, encodeEnvelope(0, Buffer.from(json)));
      expect(texts.bytes.toString()).toContain(json);
      const frames = await post("Repeat", `application/${protocol}+proto`, encodeEnvelope(0, new Uint8Array(binary)));
      expect(Buffer.compare(frames.bytes.subarray(5, 5 + binary.length), binary)).toBe(0);
    }
    for (const [encoding, message] of [
      ["json", Buffer.from(json)],
      ["proto", binary],
    ] as const) {
      const query = `connect=v1&encoding=${encoding}&base64=1&message=${Buffer.from(message).toString("base64url")}`;
      const response = await fetch(`${origin}/odd.v1.OddService/Echo?${query}`);
      expect(Buffer.compare(Buffer.from(await response.arrayBuffer()), message)).toBe(0);
    }
  });

  test.each(broken)("a handler that answers %s fails, and the log says so", async (value, text) => {
    toReturn = value;
    const internal = { code: "internal", message: expect.stringMatching(text) };
    for (const [type, body] of [
      ["application/json", "{}"],
      ["application/proto", ""],
    ] as const) {
      logged.length = 0;
      const { status, bytes } = await post("Break", type, body);
      expect([status, JSON.parse(bytes.toString())]).toMatchObject([500, internal]);
      expect(logged).toMatchObject([{ err: expect.any(Error), method: "rpc odd.v1.OddService.Break" }]);
    }
    for (const format of ["json", "proto"]) {
      logged.length = 0;
      const body = encodeEnvelope(0, Buffer.from(format === "json" ? "{}" : ""));
      const { bytes } = await post("BreakMany", `application/connect+${format}`, body);
      const [end] = bytes.toString().match(/\{"error".*/s)!;
      expect(JSON.parse(end)).toMatchObject({ error: internal });
      expect(logged).toHaveLength(1);
    }
    const native = createNativeTransport(origin);
    logged.length = 0;
    const client = createClient(service, native) as unknown as Methods;
    await client.break!({}).catch(() => undefined);
    native.close();
    expect(logged).toHaveLength(1);
  });

  test("details of errors keep every key, in bytes and in JSON", async () => {
    const metadata = JSON.parse('{"__proto__": "a"}') as Record<string, string>;
    const detail = { desc: ErrorInfoSchema, value: { reason: "ODD", metadata } };
    const named = JSON.parse('{"__proto__": {"text": "a"}}') as Record<string, object>;
    const oddDetail = { desc: odd, value: { named } };
    toThrow = new ConnectError("no", Code.Aborted, undefined, [detail, oddDetail] as never);
    const { bytes } = await post("Break", "application/json", "{}");
    toThrow = undefined;
    expect(bytes.toString()).toContain('"debug":{"reason":"ODD","metadata":{"__proto__":"a"}}');
    expect(bytes.toString()).toContain('"debug":{"named":{"__proto__":{"text":"a"}}}');
    const value = JSON.parse(bytes.toString()).details[1].value as string;
    expect(jsonOf(odd, codecOf(odd).decode(Buffer.from(value, "base64")))).toBe('{"named":{"__proto__":{"text":"a"}}}');
  });
});

test("messages go unharmed through a service in memory", async () => {
  const { transport, close } = await inMemory(definition());
  await throughClient(transport);
  await close();
});
