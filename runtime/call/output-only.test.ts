import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, createFileRegistry, type DescService, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../generator/testing/image.js";
import { createServerAdapter } from "../server/adapter.js";
import { handlerRoutes } from "../server/handlers.js";
import { type Listener, listen } from "../server/listen.js";
import { clearsOutputOnly, keepOutputOnly } from "./output-only.js";

const contract = `syntax = "proto3";
package basket.v1;
import "google/api/field_behavior.proto";
service BasketService {
  rpc Fill(Basket) returns (Basket);
  rpc FillMany(stream Basket) returns (Basket);
}
message Basket {
  string id = 1 [(google.api.field_behavior) = IDENTIFIER, (google.api.field_behavior) = OUTPUT_ONLY];
  string etag = 2 [(google.api.field_behavior) = OUTPUT_ONLY];
  int64 total = 3 [(google.api.field_behavior) = OUTPUT_ONLY];
  repeated Line lines = 4;
  map<string, Line> named = 5;
  oneof choice {
    Line gift = 6;
    string note = 7;
    string stamp = 8 [(google.api.field_behavior) = OUTPUT_ONLY];
  }
  optional Line first = 9;
  repeated string seen_by = 10 [(google.api.field_behavior) = OUTPUT_ONLY];
  Basket inner = 11;
  Plain plain = 12;
}
message Line {
  int32 quantity = 1;
  int64 price = 2 [(google.api.field_behavior) = OUTPUT_ONLY];
}
message Plain { string text = 1; Plain next = 2; }
`;

let service: DescService;
let listener: Listener;
beforeAll(async () => {
  const root = await mkdtemp(join(tmpdir(), "scaffold-test-"));
  await writeFile(join(root, "basket.proto"), contract);
  service = createFileRegistry(await compile(root)).getService("basket.v1.BasketService")!;
  await rm(root, { recursive: true });
  const handlers = {
    fill: (basket: unknown) => basket,
    async fillMany(baskets: AsyncIterable<object>) {
      let last: object = {};
      for await (const basket of baskets) last = basket;
      return last;
    },
  };
  const spec = { service, policy: {}, name: "baskets", codecs: [], entities: {}, peers: {}, standard: {} };
  const routes = handlerRoutes(spec as never, handlers, {
    log: {} as never,
    draining: new AbortController().signal,
  });
  listener = await listen({ ...createServerAdapter({ routes }), host: "127.0.0.1", port: 0 });
});
afterAll(() => listener.drain(0));

const line = { quantity: 2, price: "-77" };
const sent: JsonObject = {
  id: "a",
  etag: "e",
  total: "5",
  lines: [line, line],
  named: { a: line },
  gift: line,
  first: line,
  seenBy: ["me"],
  inner: { total: "5", lines: [line], stamp: "s", plain: { text: "t" } },
};
const seen: JsonObject = {
  id: "a",
  etag: "e",
  lines: [{ quantity: 2 }, { quantity: 2 }],
  named: { a: { quantity: 2 } },
  gift: { quantity: 2 },
  first: { quantity: 2 },
  inner: { lines: [{ quantity: 2 }], plain: { text: "t" } },
};

const kinds: [string, (baseUrl: string) => Transport][] = [
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true })],
  ["Connect, JSON", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
];

describe.each(kinds)("over %s", (_, transport) => {
  test("a request says nothing of what only the service sets, at any depth", async () => {
    const client = createClient(service, transport(`http://127.0.0.1:${listener.port}`)) as Client<never> &
      Record<string, (request: unknown) => Promise<never>>;
    const { input, output } = service.method.fill!;
    const basket = fromJson(input, sent);
    expect(toJson(output, await client.fill!(basket))).toEqual(seen);
    const each = (async function* () {
      yield {};
      yield basket;
    })();
    expect(toJson(output, await client.fillMany!(each))).toEqual(seen);
  });
});

test("nothing is done for types that have nothing of the kind", () => {
  const { input } = service.method.fill!;
  expect(clearsOutputOnly(input.field.plain!.message!)).toBeUndefined();
});

test("a message that replaces another one keeps what only the service sets", () => {
  const { input } = service.method.fill!;
  const after = fromJson(input, {
    lines: [{}],
    named: { a: { quantity: 3 }, b: line },
    note: "n",
    first: {},
    inner: {},
  });
  keepOutputOnly(input, fromJson(input, sent), after);
  expect(toJson(input, after)).toEqual({
    total: "5",
    lines: [{}],
    named: { a: { quantity: 3, price: "-77" }, b: line },
    note: "n",
    first: { price: "-77" },
    seenBy: ["me"],
    inner: { total: "5", stamp: "s" },
  });
  const chosen = fromJson(input, { note: "n", inner: { note: "n" } });
  keepOutputOnly(input, fromJson(input, { stamp: "s", inner: { stamp: "s" } }), chosen);
  expect(toJson(input, chosen)).toEqual({ note: "n", inner: { note: "n" } });
  const none = fromJson(input, { total: "1", stamp: "s" });
  keepOutputOnly(input, create(input), none);
  expect(toJson(input, none)).toEqual({});
});
