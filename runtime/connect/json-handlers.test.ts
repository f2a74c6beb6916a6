import { once } from "node:events";
import { connect } from "node:http2";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { create, type DescMethod, type DescMethodUnary } from "@bufbuild/protobuf";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LegacySchema } from "../../generator/testdata/codec/expected/generated/two_pb.js";
import { KindService } from "../gateway/testing/kinds.js";
import { createServerAdapter } from "../server/adapter.js";
import { type Listener, listen } from "../server/listen.js";

const echo = KindService.method.echo! as DescMethodUnary;
const noSideEffects = 1;
const as = (name: string, rest: object) => ({ ...echo, name, localName: name, ...rest }) as DescMethod;

type Messages = AsyncIterable<{ bigCount: bigint }>;

describe.each(["native", "node"] as const)("Connect's JSON, HTTP/2 by %s", (transport) => {
  let listener: Listener;
  let origin: string;
  const seen: unknown[] = [];
  const contexts: { method: DescMethod }[] = [];

  beforeAll(async () => {
    const handlers = createServerAdapter({
      transport,
      readMaxBytes: 4 * 1024 * 1024,
      jsonOptions: { ignoreUnknownFields: false },
      routes(router) {
        const keep = (request: unknown, context: unknown) => {
          seen.push(request);
          contexts.push(context as (typeof contexts)[number]);
          return request;
        };
        router.rpc(as("Echo", {}), keep as never);
        router.rpc(as("Look", { idempotency: noSideEffects }), keep as never);
        router.rpc(as("Legacy", { input: LegacySchema, output: LegacySchema }), keep as never);
        router.rpc(as("Many", { methodKind: "server_streaming" }), async function* (request: unknown) {
          yield request;
          yield request;
        } as never);
        router.rpc(as("Sum", { methodKind: "client_streaming" }), (async (requests: Messages) => {
          let bigCount = 0n;
          for await (const request of requests) bigCount += request.bigCount;
          return { bigCount };
        }) as never);
        router.rpc(as("Talk", { methodKind: "bidi_streaming" }), async function* (requests: Messages) {
          for await (const request of requests) yield create(echo.input, { bigCount: request.bigCount + 1n } as never);
        } as never);
      },
    });
    listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
    origin = `http://127.0.0.1:${listener.port}`;
  });
  afterAll(() => listener.drain(0));

  async function post(method: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
    const init = { method: "POST", headers: { "content-type": "application/json", ...headers }, body };
    const response = await fetch(`${origin}/testing.KindService/${method}`, init);
    const bytes = Buffer.from(await response.arrayBuffer());
    return { status: response.status, bytes, text: bytes.toString(), headers: response.headers };
  }

  async function look(query: string) {
    const response = await fetch(`${origin}/testing.KindService/Look?${query}`);
    return { status: response.status, text: await response.text() };
  }

  const frames = (...texts: string[]) => Buffer.concat(texts.map((text) => encodeEnvelope(0, Buffer.from(text))));
  const framed = (bytes: Buffer) => {
    const texts: string[] = [];
    for (let at = 0; at + 5 <= bytes.length; ) {
      const size = bytes.readUInt32BE(at + 1);
      texts.push(bytes.subarray(at + 5, at + 5 + size).toString());
      at += 5 + size;
    }
    return texts;
  };

  it("is exact in both directions", async () => {
    const { status, text } = await post(
      "Echo",
      '\ufeff{"bigCount": 9007199254740993, "tags": ["\ufeffa"], "lasting": "1.5s"}',
    );
    expect([status, JSON.parse(text)]).toEqual([
      200,
      { bigCount: "9007199254740993", tags: ["\ufeffa"], lasting: "1.500s" },
    ]);
    expect(seen.at(-1)).toMatchObject({ $typeName: "testing.Kinds", bigCount: 9007199254740993n });
    expect(contexts.at(-1)?.method.input.typeName).toBe("testing.Kinds");
  });

  it("keeps every key", async () => {
    const body = '{"labels":{"__proto__":"a","constructor":"b"},"held":{"__proto__":{"b":1},"\ufeff":null}}';
    expect(await post("Echo", body)).toMatchObject({ status: 200, text: body });
  });

  it.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
  ] as const)("is unpacked from %s", async (encoding, pack) => {
    const body = new Uint8Array(pack('{"bigCount": 9007199254740993}'));
    const { text } = await post("Echo", body, { "content-encoding": encoding });
    expect(JSON.parse(text)).toEqual({ bigCount: "9007199254740993" });
  });

  it.each([
    ["{", "the JSON is broken at character 2: it ends too early"],
    ["", "the JSON is broken at character 1: it ends too early"],
    ['{"small": 1, "small": 2}', "small: is given twice"],
    [
      '{"left": "a", "right": "b"}',
      "right: cannot be given beside left: they are the oneof side, which holds one of them",
    ],
    ['{"at": "2021-02-30T00:00:00Z"}', 'at: "2021-02-30T00:00:00Z" is a date that does not exist'],
    ['{"held": {"a": 1e400}}', 'held["a"]: 1e400 is out of range for a double'],
    ['{"sise": 1}', 'there is no field "sise" in testing.Kinds'],
    [Buffer.from('{"tags": ["\xff"]}', "latin1"), "the JSON is not well-formed UTF-8"],
    ["[".repeat(2_000_000), "an array is not an object"],
    [`{"held": {"a": ${"[".repeat(2_000_000)}`, "messages are more than 100 deep in one another"],
  ] as const)("is refused where it is no such message: %#", async (body, message) => {
    const { status, text } = await post("Echo", body);
    expect([status, JSON.parse(text)]).toMatchObject([400, { code: "invalid_argument" }]);
    expect(JSON.parse(text).message).toContain(message);
    expect(JSON.parse(text).details).toMatchObject([
      { type: "google.rpc.BadRequest" },
      { type: "google.rpc.ErrorInfo" },
    ]);
  });

  it("lacks nothing that proto2 requires", async () => {
    const { status, text } = await post("Legacy", '{"id": "a", "needed": "RED"}');
    expect([status, JSON.parse(text).message]).toEqual([400, "main: is required, and is not set"]);
  });

  it("is read from a URL", async () => {
    const message = encodeURIComponent('{"bigCount": 9007199254740993}');
    expect(await look(`encoding=json&message=${message}`)).toEqual({
      status: 200,
      text: '{"bigCount":"9007199254740993"}',
    });
    const base64 = Buffer.from('{"bigCount": 9007199254740993}').toString("base64url");
    expect((await look(`connect=v1&encoding=json&base64=1&message=${base64}`)).status).toBe(200);
    // The query may be percent-encoded in any letter.
    const escaped = await look(`connect=v1&%65ncoding=%6Ason&message=${message}`);
    expect(escaped).toEqual(await look(`connect=v1&encoding=json&message=${message}`));
    expect((await look(`encoding=json&message=${message}&%6dessage=${message}`)).status).toBe(400);
  });

  it.each([
    ["message=%7B%22tags%22:[%22%ff%22]%7D", "the percent-encoding of the URL is broken"],
    ["base64=1&message=e+30", "message is no base64"],
    ["base64=1&message=e30=e30=", "message is no base64"],
    ["base64=1&message=e3=0", "message is no base64"],
    ["base64=1&message=e", "message is no base64: a character is missing"],
    ["base64=1&compression=gzip&message=e30", "is not valid gzip"],
    ["connect=v1", "the query has no message"],
    ["connect=v2&message=%7B%7D", 'connect must be v1, and is "v2"'],
    ["base64=1&base64=0&message=e30", "the query has base64 twice"],
    ["message=%7B%7D&a=%", "the percent-encoding of the URL is broken"],
    ["base64=1&message=/w==", "the JSON is not well-formed UTF-8"],
    ["message=%7B%7D&message=%7B%7D", "the query has message twice"],
    ["message=%7B%22small%22:1,%22small%22:1%7D", "small: is given twice"],
  ])("is refused in the query %s", async (query, message) => {
    const { status, text } = await look(`encoding=json&${query}`);
    expect([status, JSON.parse(text).code]).toEqual([400, "invalid_argument"]);
    expect(JSON.parse(text).message).toContain(message);
  });

  it.each([
    ["base64=1&message=e3=0", "message is no base64"],
    ["message=%ff", "the percent-encoding of the URL is broken"],
    ["message=%08", "parse binary: "],
    ["connect=v1", "the query has no message"],
    ["connect=v2&message=", 'connect must be v1, and is "v2"'],
    ["message=&message=", "the query has message twice"],
    ["base64=1&compression=br&message=e30", "is not valid br"],
  ])("is refused in binary in the query %s", async (query, message) => {
    const { status, text } = await look(`encoding=proto&${query}`);
    expect([status, JSON.parse(text).code]).toEqual([400, "invalid_argument"]);
    expect(JSON.parse(text).message).toContain(message);
  });

  it.each([
    ["message=%7B%7D", 415],
    ["encoding=xml&message=%7B%7D", 415],
    ["encoding=json&compression=zip&message=%7B%7D", 501],
    ["encoding=proto&compression=zip&message=", 501],
  ])("a URL that asks for what there is not is told so: %s", async (query, status) => {
    expect((await look(query)).status).toBe(status);
  });

  it("is of one version of the protocol", async () => {
    for (const [version, status] of [
      ["1", 200],
      ["2", 400],
    ] as const) {
      expect(await post("Echo", "{}", { "connect-protocol-version": version })).toMatchObject({ status });
      const type = { "content-type": "application/proto", "connect-protocol-version": version };
      expect(await post("Echo", "", type)).toMatchObject({ status });
    }
  });

  const long = '{"bigCount": 9007199254740993}';

  it.each(["connect", "grpc-web"])("is exact in streams of %s", async (protocol) => {
    const type = { "content-type": `application/${protocol}+json` };
    const many = framed((await post("Many", frames(long), type)).bytes);
    expect(many.slice(0, 2)).toEqual(Array(2).fill('{"bigCount":"9007199254740993"}'));
    const sum = framed((await post("Sum", frames(long, '{"bigCount": "1"}', "{}"), type)).bytes);
    expect(sum[0]).toBe('{"bigCount":"9007199254740994"}');
    const wrong = framed((await post("Sum", frames(long, '{"bigCount": 1, "bigCount": 2}'), type)).bytes);
    expect(decodeURIComponent(wrong.at(-1)!)).toContain("big_count: is given twice");
  });

  it.each(["connect", "grpc"])("is exact in a conversation over %s", async (protocol) => {
    const session = connect(origin);
    const stream = session.request({
      ":method": "POST",
      ":path": "/testing.KindService/Talk",
      "content-type": `application/${protocol}+json`,
      te: "trailers",
    });
    stream.write(frames(long));
    const [first] = (await once(stream, "data")) as [Buffer];
    expect(framed(first)[0]).toBe('{"bigCount":"9007199254740994"}');
    stream.end(frames(long));
    const [second] = (await once(stream, "data")) as [Buffer];
    expect(framed(second)[0]).toBe('{"bigCount":"9007199254740994"}');
    stream.resume();
    await once(stream, "close");
    session.close();
  });

  it("leaves binary alone", async () => {
    const bytes = Uint8Array.of(16, 5);
    const { status, bytes: answered } = await post("Echo", bytes, { "content-type": "application/proto" });
    expect([status, [...answered]]).toEqual([200, [16, 5]]);
  });
});
