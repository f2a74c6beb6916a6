import { type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { InventoryService, ProductSchema } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { describe, expect, it } from "vitest";
import { BadRequestSchema } from "../options/google/rpc/error_details_pb.js";
import { matchPath, splitPath } from "./path.js";
import type { Route } from "./route.js";
import { parseTemplate } from "./template.js";
import { KindService } from "./testing/kinds.js";
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
  const message: Message = new Transcoder(route, types).request(values, query, body);
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
    ["", {}],
    ["&", {}],
  ])("%s", (query, expected) => {
    expect(transcode(get, `/v1/echo?${query}`)).toEqual(expected);
  });

  it.each([
    ["flag=1", 'flag: expected boolean, got "1"'],
    ["small=abc", 'small: expected number (int32), got "abc"'],
    ["small=", 'small: expected number (int32), got ""'],
    ["small=2147483648", "small: expected number (int32): 2147483648 out of range"],
    ["big_count=9223372036854775808", "big_count: expected bigint (int64): 9223372036854775808 out of range"],
    ["color=GREEN", 'color: "GREEN" is none of COLOR_UNSPECIFIED, COLOR_RED, COLOR_BLUE'],
    ["at=yesterday", "at: cannot decode message google.protobuf.Timestamp from JSON: invalid RFC 3339 string"],
    ["sise=1", "sise: unknown query parameter: testing.Kinds has no such field"],
    ["nested.nope=1", "nested.nope: unknown query parameter: testing.Kinds has no such field"],
    ["nested=x", "nested: holds no plain value: name one of its fields"],
    ["labels=x", "labels: holds no plain value: name one of its fields"],
    ["items=x", "items: holds no plain value: name one of its fields"],
    ["small=1&small=2", "small: is given twice"],
    ["left=l&right=r", "right: cannot be given beside left"],
  ])("refuses %s", (query, message) => {
    expect(refusal(get, `/v1/echo?${query}`)).toMatchObject({ code: Code.InvalidArgument, rawMessage: message });
  });

  it("names everything that is wrong, one violation each", () => {
    const error = refusal(get, "/v1/echo?small=x&sise=1&flag=true");
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([
      { field: "small", description: 'expected number (int32), got "x"' },
      { field: "sise", description: "unknown query parameter: testing.Kinds has no such field" },
    ]);
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
    expect(refusal(route, "/v1/x/a/b/1").rawMessage).toBe("big_count: expected bigint (int64): x out of range");
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
    [post, { sise: 1 }, 'cannot decode message testing.Kinds from JSON: key "sise" is unknown'],
    [nested, { sise: 1 }, 'cannot decode message testing.Nested from JSON: key "sise" is unknown'],
    [post, { small: 1.5 }, "cannot decode field testing.Kinds.small from JSON: expected number (int32), got 1.5"],
    [post, [1], "cannot decode message testing.Kinds from JSON: Array(1)"],
    [get, {}, "GET /v1/echo takes no body: send fields as query parameters"],
  ])("refuses what does not fit", (route, body, message) => {
    expect(refusal(route, route.path, body as JsonValue)).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: message,
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
    expect(new Transcoder(route, types).response(product)).toEqual(printed);
  });

  it("is one field for response_body", () => {
    const route: Route = { verb: "GET", path: "/v1/echo", responseBody: "tags", method: echo };
    const transcoder = new Transcoder(route, types);
    expect(transcoder.response(transcoder.request([], "tags=a", undefined))).toEqual(["a"]);
    expect(transcoder.response(transcoder.request([], "", undefined))).toEqual([]);
  });

  it("is a field inside of another one, also when that is not set", () => {
    const route: Route = { verb: "GET", path: "/v1/echo", responseBody: "nested.long_name", method: echo };
    const transcoder = new Transcoder(route, types);
    expect(transcoder.response(transcoder.request([], "nested.long_name=a", undefined))).toBe("a");
    expect(transcoder.response(transcoder.request([], "", undefined))).toBe("");
    const inner = new Transcoder({ ...route, responseBody: "nested.inner" }, types);
    expect(inner.response(inner.request([], "nested.inner.long_name=a", undefined))).toEqual({ longName: "a" });
    expect(inner.response(inner.request([], "", undefined))).toBeNull();
  });
});
