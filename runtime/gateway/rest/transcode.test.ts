import { type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { InventoryService, ProductSchema } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { describe, expect, it } from "vitest";
import { LegacySchema } from "../../../generator/testdata/codec/expected/generated/two_pb.js";
import type { JsonPieces } from "../../codec/protojson/write.js";
import { BadRequestSchema } from "../../options/google/rpc/error_details_pb.js";
import type { Route } from "../../spec/route.js";
import { KindService } from "../testing/kinds.js";
import { matchPath, splitPath } from "./path.js";
import { parseTemplate } from "./template.js";
import { Transcoder } from "./transcode.js";
import { typesOf } from "./types.js";

const echo = KindService.method.echo!;
const types = typesOf({
  services: [{ name: "kind", service: KindService, policy: {}, routes: [], calls: [], tables: [] }],
});

/** What a request becomes, as ProtoJSON. */
function transcode(route: Route, url: string, body?: JsonValue): JsonValue {
  const [path, query = ""] = url.split("?");
  const values = matchPath(parseTemplate(route.path), splitPath(path!))!;
  const message: Message = new Transcoder(route, types).request(
    values,
    query,
    body === undefined ? undefined : JSON.stringify(body),
  );
  return toJson(route.method.input, message, { registry: types });
}

function refusal(route: Route, url: string, body?: JsonValue): ConnectError {
  try {
    transcode(route, url, body);
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
  throw new Error("was accepted");
}

const get: Route = { verb: "GET", path: "/v1/echo", method: echo };

describe("the query", () => {
  it.each([
    ["flag=true", { flag: true }],
    ["flag=false", {}],
    ["big_count=9007199254740993", { bigCount: "9007199254740993" }],
    ["bigCount=-1", { bigCount: "-1" }],
    ["small=-7&ratio=1e3", { small: -7, ratio: 1000 }],
    ["ratio=Infinity", { ratio: "Infinity" }],
    ["data=_-8", { data: "/+8=" }],
    ["color=COLOR_RED", { color: "COLOR_RED" }],
    ["color=2", { color: "COLOR_BLUE" }],
    ["colors=COLOR_RED&colors=2", { colors: ["COLOR_RED", "COLOR_BLUE"] }],
    ["tags=a&tags=b%26c&tags=d+e&tags=", { tags: ["a", "b&c", "d e", ""] }],
    ["at=2026-01-02T03:04:05.5Z", { at: "2026-01-02T03:04:05.500Z" }],
    ["maybe=false", { maybe: false }],
    ["nested.long_name=x&nested.inner.longName=y", { nested: { longName: "x", inner: { longName: "y" } } }],
    ["left=l", { left: "l" }],
    ["update_mask=nested.long_name,small", { updateMask: "nested.longName,small" }],
    ["updateMask=nested.longName", { updateMask: "nested.longName" }],
    ["tags=%EF%BB%BFa", { tags: ["\ufeffa"] }],
    ["big_count=1e3", { bigCount: "1000" }],
    ["", {}],
    ["&", {}],
  ])("%s", (query, expected) => {
    expect(transcode(get, `/v1/echo?${query}`)).toEqual(expected);
  });

  it.each([
    ["flag=1", 'flag: "1" is not true or false'],
    ["small=abc", 'small: "abc" is no whole number (int32)'],
    ["small=", 'small: "" is no whole number (int32)'],
    ["small=2147483648", 'small: "2147483648" is out of range: int32 is from -2147483648 to 2147483647'],
    [
      "big_count=9223372036854775808",
      'big_count: "9223372036854775808" is out of range: int64 is from -9223372036854775808 to 9223372036854775807',
    ],
    ["color=GREEN", 'color: "GREEN" is none of COLOR_UNSPECIFIED, COLOR_RED, COLOR_BLUE'],
    ["at=yesterday", 'at: "yesterday" is no instant of RFC 3339, such as "2026-01-31T12:00:00Z"'],
    ["sise=1", "sise: unknown query parameter: testing.Kinds has no such field"],
    ["nested.nope=1", "nested.nope: unknown query parameter: testing.Kinds has no such field"],
    ["nested=x", "nested: holds no plain value: name one of its fields"],
    ["labels=x", "labels: holds no plain value: name one of its fields"],
    ["items=x", "items: holds no plain value: name one of its fields"],
    ["small=1&small=2", "small: is given twice"],
    ["left=l&right=r", "right: cannot be given beside left"],
    [
      "first.long_name=a&second.long_name=b",
      "second.long_name: cannot be given beside first: they are the oneof place, which holds one of them",
    ],
    ["big_count=0x10", 'big_count: "0x10" is no whole number (int64)'],
    ["big_count=+5", 'big_count: " 5" is no whole number (int64)'],
    ["ratio=1e400", 'ratio: "1e400" is out of range for a double'],
    ["data=+__+", 'data: " __ " is no base64'],
    ["data=%2B__%2B", 'data: "+__+" is no base64'],
    ["data=YQ%3D%3DYQ%3D%3D", 'data: "YQ==YQ==" is no base64'],
    ["at=2021-02-30T00:00:00Z", 'at: "2021-02-30T00:00:00Z" is a date that does not exist'],
    ["at.seconds=5", "at.seconds: is one value, whose parts cannot be set alone"],
    [
      "lasting=1.0000000001s",
      'lasting: "1.0000000001s" has more than nine decimals: a duration is precise to the nanosecond',
    ],
    ["update_mask=small,,ratio", 'update_mask: "" is no path of a field mask: write it in lowerCamelCase'],
  ])("refuses %s", (query, message) => {
    expect(refusal(get, `/v1/echo?${query}`)).toMatchObject({ code: Code.InvalidArgument, rawMessage: message });
  });

  it("names everything that is wrong, one violation each", () => {
    const error = refusal(get, "/v1/echo?small=x&sise=1&flag=true");
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([
      { field: "small", description: '"x" is no whole number (int32)' },
      { field: "sise", description: "unknown query parameter: testing.Kinds has no such field" },
    ]);
  });
});

it("names ten faults of a query at most, and cuts what it repeats", () => {
  const error = refusal(
    get,
    `/v1/echo?${Array.from({ length: 4000 }, (_, i) => `a${i}`).join("&")}&${"x".repeat(9000)}`,
  );
  expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toHaveLength(10);
  expect(error.rawMessage.length).toBeLessThan(1000);
  const long = "x".repeat(9000);
  expect(refusal(get, `/v1/echo?${long}=1&small=${long}&color=${long}`).rawMessage.length).toBeLessThan(500);
});

it("takes paths of a field mask that lowerCamelCase cannot spell", () => {
  const message = new Transcoder(get, types).request([], "update_mask=line_1,nested.longName", undefined);
  expect((message as unknown as { updateMask: object }).updateMask).toMatchObject({
    paths: ["line_1", "nested.long_name"],
  });
});

describe("the path", () => {
  it("sets fields of any plain kind, also nested ones", () => {
    const route: Route = { verb: "GET", path: "/v1/{big_count}/{nested.long_name=a/*}/{color}", method: echo };
    expect(transcode(route, "/v1/12/a/b%20c/COLOR_RED")).toEqual({
      bigCount: "12",
      nested: { longName: "a/b c" },
      color: "COLOR_RED",
    });
    expect(refusal(route, "/v1/x/a/b/1").rawMessage).toBe('big_count: "x" is no whole number (int64)');
    expect(refusal(route, "/v1/1/a/b/1?big_count=2").rawMessage).toBe("big_count: is set by the path already");
  });

  it("wins over the body", () => {
    const route: Route = { verb: "POST", path: "/v1/{nested.long_name}", body: "*", method: echo };
    expect(transcode(route, "/v1/x", { nested: { longName: "y", inner: {} } })).toEqual({
      nested: { longName: "x", inner: {} },
    });
  });

  it.each<[Partial<Route>, string]>([
    [{ path: "/v1/{nope}" }, '{nope} in the path: Kinds has no field "nope"; it has flag, big_count,'],
    [{ path: "/v1/{nested.nope}" }, '{nested.nope} in the path: Nested has no field "nope"; it has long_name, inner'],
    [{ path: "/v1/{bigCount}" }, '{bigCount} in the path: write "big_count", as the contract calls the field'],
    [{ path: "/v1/{flag.x}" }, "{flag.x} in the path: flag is a scalar, and has no fields to name"],
    [{ path: "/v1/{items.long_name}" }, "{items.long_name} in the path: items is repeated, and has no fields to name"],
    [{ path: "/v1/{tags}" }, "{tags} in the path is repeated: only a single plain value fits there"],
    [{ path: "/v1/{labels}" }, "{labels} in the path is a map: only a single plain value fits there"],
    [{ path: "/v1/{nested}" }, "{nested} in the path is a message: only a single plain value fits there"],
    [{ path: "/v1/{flag" }, 'the path "/v1/{flag" is wrong at column 10: the "{" of column 5 is not closed'],
    [{ verb: "POST", path: "/v1", body: "nope" }, 'the body "nope": Kinds has no field "nope"'],
    [{ verb: "POST", path: "/v1", body: "items.x" }, 'the body "items.x": items is repeated'],
    [{ path: "/v1", body: "*" }, "GET carries no body: remove body, or use post"],
    [{ path: "/v1", responseBody: "nope" }, 'the response_body "nope": Kinds has no field "nope"'],
  ])("refuses the route %j", (part, problem) => {
    const route: Route = { verb: "GET", path: "/v1", method: echo, ...part };
    expect(() => new Transcoder(route, types)).toThrow(problem);
  });
});

describe("the body", () => {
  const post: Route = { verb: "POST", path: "/v1/echo", body: "*", method: echo };
  const nested: Route = { verb: "POST", path: "/v1/nested", body: "nested", method: echo };

  it("is the whole request for *", () => {
    expect(transcode(post, "/v1/echo", { big_count: "1", labels: { a: "b" } })).toEqual({
      bigCount: "1",
      labels: { a: "b" },
    });
    expect(transcode(post, "/v1/echo")).toEqual({});
    expect(refusal(post, "/v1/echo?small=1").rawMessage).toBe(
      "small: cannot be a query parameter here: the body holds every field",
    );
  });

  it("is one field otherwise, and the query sets the others", () => {
    expect(transcode(nested, "/v1/nested?small=1", { longName: "x" })).toEqual({ small: 1, nested: { longName: "x" } });
    expect(transcode({ ...nested, body: "tags" }, "/v1/nested", ["a"])).toEqual({ tags: ["a"] });
    expect(refusal(nested, "/v1/nested?nested.long_name=x").rawMessage).toBe("nested.long_name: belongs into the body");
  });

  it("is a field inside of another one, beside which the query sets the rest", () => {
    const inner: Route = { verb: "POST", path: "/v1/{nested.inner.long_name}", body: "nested.inner", method: echo };
    expect(transcode(inner, "/v1/n?nested.long_name=x&small=1", { longName: "y", inner: {} })).toEqual({
      small: 1,
      nested: { longName: "x", inner: { longName: "n", inner: {} } },
    });
    expect(transcode({ ...inner, body: "nested.long_name" }, "/v1/n", "text")).toEqual({
      nested: { longName: "text", inner: { longName: "n" } },
    });
    for (const name of ["nested.inner.inner.long_name", "nested.inner"]) {
      expect(refusal(inner, `/v1/n?${name}=x`, {}).rawMessage).toBe(`${name}: belongs into the body`);
    }
  });

  it.each([
    [post, { sise: 1 }, 'there is no field "sise" in testing.Kinds'],
    [nested, { sise: 1 }, 'nested: there is no field "sise" in testing.Nested'],
    [post, { small: 1.5 }, "small: 1.5 is no whole number (int32)"],
    [post, [1], "an array is not an object"],
    [get, {}, "GET /v1/echo takes no body: send fields as query parameters"],
  ])("refuses what does not fit", (route, body, message) => {
    expect(refusal(route, route.path, body as JsonValue)).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: message,
    });
  });
});

describe("a oneof", () => {
  const beside = "cannot be given beside left: they are the oneof side, which holds one of them";
  const body: Route = { verb: "POST", path: "/v1/{left}", body: "*", method: echo };
  const part: Route = { verb: "POST", path: "/v1/first", body: "first", method: echo };

  it("has one of its fields, from whatever parts of the request", () => {
    expect(transcode(body, "/v1/a", { left: "b" })).toEqual({ left: "a" });
    expect(refusal(body, "/v1/a", { right: "b" }).rawMessage).toBe(
      "left: cannot be given beside right: they are the oneof side, which holds one of them",
    );
    const path: Route = { verb: "GET", path: "/v1/{left}", method: echo };
    expect(refusal(path, "/v1/a?right=b").rawMessage).toContain("cannot be given beside");
    expect(refusal(part, "/v1/first?second.long_name=b", { longName: "a" }).rawMessage).toBe(
      "second.long_name: cannot be given beside first: they are the oneof place, which holds one of them",
    );
    expect(refusal({ ...part, body: "*" }, "/v1/first", { left: "a", right: "b" }).rawMessage).toBe(`right: ${beside}`);
  });
});

describe("values", () => {
  const post: Route = { verb: "POST", path: "/v1/echo", body: "*", method: echo };
  const text = (body: string): Message => new Transcoder(post, types).request([], "", body);

  it("are exact, and keep every key", () => {
    expect(text('{"bigCount": 9007199254740993}')).toMatchObject({ bigCount: 9007199254740993n });
    expect(text('{"anything": {"@type": "a/testing.Kinds", "big_count": 9007199254740993}}')).toMatchObject({
      anything: { value: Uint8Array.of(16, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10) },
    });
    const { labels, held } = text('{"labels": {"__proto__": "a"}, "held": {"__proto__": {"b": 1}}}') as never;
    expect([Object.entries(labels), JSON.stringify(held)]).toEqual([[["__proto__", "a"]], '{"__proto__":{"b":1}}']);
  });

  it.each([
    ['{"held": {"a": 1e400}}', 'held["a"]: 1e400 is out of range for a double'],
    ['{"small": 1, "small": 2}', "small: is given twice"],
    ['{"bigCount": 1, "big_count": 1}', "big_count: is given twice"],
    ['{"items": [{}, {"longName": 5}]}', "items[1].long_name: 5 is not a string"],
    ['{"labels": {"a": 5}}', 'labels["a"]: 5 is not a string'],
    ['{"small": 1} {}', 'the JSON is broken at character 14: unexpected "{"'],
    ['{"at": "2021-02-30T00:00:00Z"}', 'at: "2021-02-30T00:00:00Z" is a date that does not exist'],
  ])("are refused in %s", (body, message) => {
    let thrown: unknown;
    try {
      text(body);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: Code.InvalidArgument, rawMessage: message });
    const [field, description] = message.includes("broken") ? ["", message] : message.split(/: (.*)/s);
    const violations = (thrown as ConnectError).findDetails(BadRequestSchema)[0]?.fieldViolations;
    expect(violations).toMatchObject([{ field, description, reason: "JSON_INVALID" }]);
  });

  it("must be there that proto2 requires", () => {
    const method = { ...echo, input: LegacySchema, output: LegacySchema } as typeof echo;
    const legacy: Route = { verb: "POST", path: "/v1/{main.name}", body: "*", method };
    expect(transcode(legacy, "/v1/a", { id: "b", needed: "RED" })).toEqual({
      id: "b",
      needed: "RED",
      main: { name: "a" },
    });
    expect(refusal(legacy, "/v1/a", { needed: "RED" })).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "id: is required, and is not set",
    });
  });
});

describe("PATCH", () => {
  const { updateProduct } = InventoryService.method;
  const patch: Route = { verb: "PATCH", path: "/v1/products/{product.id}", body: "product", method: updateProduct };

  it("takes its field mask from the body's keys", () => {
    expect(transcode(patch, "/v1/products/p1", { id: "p1", price_cents: 5, name: "", tags: null })).toEqual({
      product: { id: "p1", priceCents: "5" },
      updateMask: "priceCents,name,tags",
    });
    const within: Route = { verb: "PATCH", path: "/v1/echo", body: "nested.inner", method: echo };
    expect(transcode(within, "/v1/echo", { longName: "x" })).toEqual({
      nested: { inner: { longName: "x" } },
      updateMask: "longName",
    });
    const deep: Route = { verb: "PATCH", path: "/v1/echo", body: "nested", method: echo };
    expect(transcode(deep, "/v1/echo", { longName: "x", inner: { inner: {}, long_name: "" } })).toEqual({
      nested: { longName: "x", inner: { inner: {} } },
      updateMask: "longName,inner.inner,inner.longName",
    });
  });

  it("takes its field mask from a body with as many entries as one may have", () => {
    const entries = Array.from({ length: 49_000 }, (_, i): [string, string] => [`k${i}`, ""]);
    const nested: Route = { verb: "PATCH", path: "/v1/echo", body: "nested", method: echo };
    const body = { labels: Object.fromEntries(entries), longName: "x" };
    expect(transcode(nested, "/v1/echo", body)).toMatchObject({ updateMask: "labels,longName" });
  });

  it("keeps the field mask that the caller sent", () => {
    expect(transcode(patch, "/v1/products/p1?update_mask=price_cents", { name: "n", priceCents: 5 })).toEqual({
      product: { id: "p1", name: "n", priceCents: "5" },
      updateMask: "priceCents",
    });
  });
});

describe("the answer", () => {
  it("prints defaults", () => {
    const { getProduct } = InventoryService.method;
    const route: Route = { verb: "GET", path: "/v1/products/{id}", method: getProduct };
    const product: Message = {
      $typeName: ProductSchema.typeName,
      id: "p1",
      name: "",
      priceCents: 7n,
      tags: [],
      etag: "",
    } as never;
    const printed = { id: "p1", name: "", priceCents: "7", tags: [], etag: "" };
    expect(json(new Transcoder(route, types).response(product))).toEqual(printed);
  });

  it("is one field for response_body", () => {
    const route: Route = { verb: "GET", path: "/v1/echo", responseBody: "tags", method: echo };
    const transcoder = new Transcoder(route, types);
    expect(json(transcoder.response(transcoder.request([], "tags=a", undefined)))).toEqual(["a"]);
    expect(json(transcoder.response(transcoder.request([], "", undefined)))).toEqual([]);
  });

  it("is a field inside of another one, also when that is not set", () => {
    const route: Route = { verb: "GET", path: "/v1/echo", responseBody: "nested.long_name", method: echo };
    const transcoder = new Transcoder(route, types);
    expect(json(transcoder.response(transcoder.request([], "nested.long_name=a", undefined)))).toBe("a");
    expect(json(transcoder.response(transcoder.request([], "", undefined)))).toBe("");
    const inner = new Transcoder({ ...route, responseBody: "nested.inner" }, types);
    expect(json(inner.response(inner.request([], "nested.inner.long_name=a", undefined)))).toEqual({
      longName: "a",
      labels: {},
    });
    expect(json(inner.response(inner.request([], "", undefined)))).toBeNull();
  });
});

/** What an answer says in JSON. */
function json(pieces: JsonPieces): unknown {
  let text = "";
  while (!pieces.isDone) text += pieces.next();
  return JSON.parse(text);
}
