import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchPath, splitPath } from "./path.js";
import { type PathTemplate, PathTemplateError, parseTemplate } from "./template.js";

const match = (template: string, path: string) => {
  const values = matchPath(parseTemplate(template), splitPath(path));
  return values && Object.fromEntries(values.map(({ fieldPath, value }) => [fieldPath.join("."), value]));
};

describe("parseTemplate", () => {
  it("reads every element of the grammar", () => {
    expect(parseTemplate("/v1/{parent.name=shelves/*}/books/{id}/**:list%20all")).toEqual({
      text: "/v1/{parent.name=shelves/*}/books/{id}/**:list%20all",
      segments: [
        { kind: "literal", text: "v1" },
        { kind: "literal", text: "shelves" },
        { kind: "one" },
        { kind: "literal", text: "books" },
        { kind: "one" },
        { kind: "rest" },
      ],
      rest: 5,
      variables: [
        { fieldPath: ["parent", "name"], start: 1, end: 3, multi: true },
        { fieldPath: ["id"], start: 4, end: 5, multi: false },
      ],
      customVerb: "list all",
    });
  });

  it("reads a path without segments", () => {
    expect(parseTemplate("/")).toEqual({ text: "/", segments: [], rest: -1, variables: [], customVerb: undefined });
  });

  it("reads colons: the last segment's first begins the verb, others are text", () => {
    const text = (segment: string) => ({ kind: "literal", text: segment });
    expect(parseTemplate("/v1/a:b/c=d:e:f")).toMatchObject({
      segments: [text("v1"), text("a:b"), text("c=d")],
      customVerb: "e:f",
    });
    expect(parseTemplate("/v1/{name=a:b/*}:e:f")).toMatchObject({
      segments: [text("v1"), text("a:b"), { kind: "one" }],
      customVerb: "e:f",
    });
  });

  it.each([
    ["v1/orders", 1, 'a path begins with "/": write "/v1/orders"'],
    ["", 1, 'a path begins with "/": write "/"'],
    ["/v1//orders", 5, "a segment is missing between two slashes: write one slash"],
    ["//", 2, "a segment is missing between two slashes: write one slash"],
    ["/v1/orders/", 12, 'a path ends without a slash: write "/v1/orders"'],
    ["/v1/{id", 8, 'the "{" of column 5 is not closed: write "}" here'],
    ["/v1/{id:x", 8, 'the "{" of column 5 is not closed: write "}" here'],
    ["/v1/{id=}", 9, 'expected a segment before "}": a literal, "*" or "**"'],
    ["/v1/{}", 6, 'expected the name of a field after "{" or "."'],
    ["/v1/{order.}", 12, 'expected the name of a field after "{" or "."'],
    ["/v1/{a={b}}", 8, "a variable cannot contain another one"],
    ["/v1/{id}/x/{id}", 12, "id is bound twice: a field takes its value from one place"],
    ["/v1/{a}/{a.b}", 9, "a.b and a set the same field: keep one"],
    ["/v1/{a=**}/{b=**}", 15, '"**" stands once in a path, or its parts could not be told apart: use "*" here'],
    ["/**/x/**", 7, '"**" stands once in a path, or its parts could not be told apart: use "*" here'],
    ["/v1/orders:", 12, 'a verb must follow ":": write one, or remove the colon'],
    ["/v1/{id}:a:", 12, 'a verb must follow ":": write one, or remove the colon'],
    ["/v1/:verb", 5, "a verb follows a segment, and here is none"],
    ["/:verb", 2, "a verb follows a segment, and here is none"],
    ["/v1/orders:a*", 13, '"*" and "**" take whole segments: put "/" around them'],
    ["/v1/a?b", 6, '"?" cannot stand in a path: write "%3F"'],
    ["/v1/a b", 6, '" " cannot stand in a path: write "%20"'],
    ["/v1/tür/{id}", 6, '"ü" cannot stand in a path: write "%C3%BC"'],
    ["/v1/🦊", 5, '"🦊" cannot stand in a path: write "%F0%9F%A6%8A"'],
    ["/v1/{id}x", 9, 'only "/", ":" or the end may follow "}", for a variable takes whole segments'],
    ["/v1/{id}{id2}", 9, 'only "/", ":" or the end may follow "}", for a variable takes whole segments'],
    ["/v1/x{id}", 6, 'a variable takes whole segments: write "/" before "{"'],
    ["/v1/a*", 6, '"*" and "**" take whole segments: put "/" around them'],
    ["/v1/***", 7, '"*" and "**" take whole segments: put "/" around them'],
    ["/v1/a}", 6, 'there is no "{" for this "}"'],
    ["/v1/%zz", 5, 'two hexadecimal digits follow "%", which is itself "%25"'],
    ["/v1/%ff", 5, 'the percent-encoding of "%ff" is not UTF-8'],
    ["/v1/../x", 5, 'clients resolve ".." before they send a path: remove it'],
    ["/v1/%2e", 5, 'clients resolve "." before they send a path: remove it'],
  ])("refuses %j at column %i", (template, column, problem) => {
    expect(() => parseTemplate(template)).toThrow(new PathTemplateError(template, column, problem));
  });
});

describe("matchPath", () => {
  it.each([
    ["/v1/orders", "/v1/orders", {}],
    ["/v1/orders", "/v1/orders/", undefined],
    ["/v1/orders/{id}", "/v1/orders/1", { id: "1" }],
    ["/v1/orders/{id}", "/v1/orders/", undefined],
    ["/v1/orders/{id}", "/v1/orders/1/2", undefined],
    ["/v1/orders/{id}", "/v1/orders/a%2Fb%20%C3%BC", { id: "a/b ü" }],
    ["/v1/orders/{id}:cancel", "/v1/orders/1:cancel", { id: "1" }],
    ["/v1/orders/{id}:cancel", "/v1/orders/a:b:cancel", { id: "a:b" }],
    ["/v1/orders/{id}:cancel", "/v1/orders/a%3Ab:cancel", { id: "a:b" }],
    ["/v1/orders/{id}:cancel", "/v1/orders/:cancel", undefined],
    ["/v1/orders/{id}:cancel", "/v1/orders/1%3Acancel", undefined],
    ["/v1/orders/{id}:cancel", "/v1/orders/1", undefined],
    ["/v1/products:batchGet", "/v1/products:batchGet", {}],
    ["/v1/{name=shelves/*/books/*}", "/v1/shelves/1/books/2", { name: "shelves/1/books/2" }],
    ["/v1/{name=shelves/*}", "/v1/shelves/a%2fb%20c", { name: "shelves/a%2fb c" }],
    ["/v1/{name=**}", "/v1/a/b%2Fc/", { name: "a/b%2Fc/" }],
    ["/v1/{name=**}", "/v1", { name: "" }],
    ["/v1/{name=**}:read", "/v1/a/b:read", { name: "a/b" }],
    ["/v1/{name=files/**}", "/v1/files", { name: "files" }],
    ["/", "/", {}],
    ["/", "/v1", undefined],
    ["/{name=**}", "/", { name: "" }],
    ["/{name}", "/", undefined],
    ["/{name=**}:read", "/", undefined],
    ["/v1/{id}:a:b", "/v1/1:a:b", { id: "1" }],
    ["/v1/{id}:a:b", "/v1/1:b", undefined],
    ["/v1/a:b/{id}", "/v1/a:b/1", { id: "1" }],
    ["/v1/{id}:get%20all", "/v1/a:b:get%20all", { id: "a:b" }],
    ["/v1/{id}:caf%C3%A9", "/v1/1:caf%c3%a9", { id: "1" }],
    ["/caf%C3%A9/{id}", "/caf%c3%a9/1", { id: "1" }],
    ["/v1/{parent=dbs/*/docs/**}/{id}", "/v1/dbs/d/docs/a/b/c", { parent: "dbs/d/docs/a/b", id: "c" }],
    ["/v1/{parent=dbs/*/docs/**}/{id}", "/v1/dbs/d/docs/c", { parent: "dbs/d/docs", id: "c" }],
    ["/v1/{parent=dbs/*/docs/**}/{id}", "/v1/dbs/d/docs", undefined],
    ["/v1/{parent=dbs/*/docs/*/**}/{id}", "/v1/dbs/d/docs/c", undefined],
    ["/v1/{parent=dbs/*/docs/**}/{id}", "/v1/dbs/d/docs/c/", undefined],
    ["/v1/{a=**}/x/{b=y/*}:do", "/v1/x/x/y/1:do", { a: "x", b: "y/1" }],
    ["/{a=**}/{b}", "/%2Fa/b%2Fc", { a: "%2Fa", b: "b/c" }],
    ["/{a=**}/{b}", "/", undefined],
  ])("%s meets %s", (template, path, expected) => {
    expect(match(template, path)).toEqual(expected);
  });

  it("finds what trying every length of ** finds", () => {
    const piece = fc.constantFrom("a", "b", "*");
    const shapes = fc.tuple(fc.array(piece, { maxLength: 3 }), fc.boolean(), fc.array(piece, { maxLength: 3 }));
    const paths = fc.array(fc.constantFrom("a", "b", "c", ""), { minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(shapes, paths, ([before, open, after], path) => {
        // Each segment a variable of its own, so that every value shows.
        const pieces = [...before, ...(open ? ["**"] : []), ...after];
        fc.pre(pieces.length > 0);
        const template = `/${pieces.map((text, i) => `{f${i}=${text}}`).join("/")}`;
        expect(match(template, `/${path.join("/")}`)).toEqual(tryAll(pieces, path));
      }),
      { numRuns: 2_000 },
    );
  });

  it("reads the longest paths among many templates", () => {
    const templates = Array.from({ length: 200 }, (_, i) => parseTemplate(`/{a=x/**}/x/*/x/{b=x/*/x${i}}:do`));
    const path = splitPath(`${"/x".repeat(7_000)}/x150:do`);
    expect(templates.filter((template) => matchPath(template, path) !== undefined)).toEqual([templates[150]]);
  });

  it("finds a verb behind as many colons as a path has", () => {
    const path = splitPath(`/v1/%41${":".repeat(15_000)}`);
    for (let i = 0; i < 200; i++) expect(matchPath(parseTemplate(`/v1/{id}:do${i}`), path)).toBe(undefined);
    expect(match("/v1/{id}:a%F0%9F%A6%8A", `/v1/%41:::%61%F0%9F%A6%8A`)).toEqual({ id: "A::" });
  });

  it("refuses a path whose percent-encoding is broken", () => {
    expect(() => splitPath("/v1/%zz")).toThrow(URIError);
    expect(() => splitPath("/v1/%ff")).toThrow(URIError);
  });

  it("finds again every value that a client writes into a template", () => {
    const text = fc.string({ unit: "binary" });
    const segment = text.filter((value) => value !== "");
    const shapes = fc.constantFrom(
      "/v1/{a}",
      "/v1/{a}/{b.c}:do",
      "/v1/{b.c}/x/{a=**}",
      "/{a}/{b.c=**}:do",
      "/v1/{a=**}/x/{b.c}",
      "/{a=**}/{b.c}:do",
    );
    fc.assert(
      fc.property(
        shapes,
        segment,
        fc.oneof(
          text,
          fc.array(text).map((parts) => parts.join("/")),
        ),
        (shape, one, many) => {
          const template = parseTemplate(shape);
          const values = Object.fromEntries(
            template.variables.map((variable) => [variable.fieldPath.join("."), variable.multi ? many : one]),
          );
          expect(match(shape, formatPath(template, values))).toEqual(values);
        },
      ),
    );
  });
});

/** What a template of these segments, each a variable `f0`, `f1` …, reads in a path, by trying all that `**` could take. */
function tryAll([piece, ...pieces]: string[], path: string[], at = 0): Record<string, string> | undefined {
  if (piece === undefined) return path.length === 0 ? {} : undefined;
  for (let length = piece === "**" ? 0 : 1; length <= (piece === "**" ? path.length : 1); length++) {
    const taken = path.slice(0, length);
    const isTaken = piece === "**" || (taken.length === 1 && (piece === "*" ? taken[0] !== "" : taken[0] === piece));
    const others = isTaken ? tryAll(pieces, path.slice(length), at + 1) : undefined;
    if (others !== undefined) return { [`f${at}`]: taken.join("/"), ...others };
  }
  return undefined;
}

/** Writes a path as http.proto asks of clients: everything but `[-_.~0-9a-zA-Z]` (and `/` if multi) percent-encoded. */
function formatPath(template: PathTemplate, values: Record<string, string>): string {
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  const path = template.text
    .replace(/\/\{([^=}]+)=\*\*\}/, (_, name) =>
      values[name] === "" ? "" : `/${values[name]!.split("/").map(encode).join("/")}`,
    )
    .replace(/\{([^}]+)\}/g, (_, name) => encode(values[name]!));
  return path;
}
