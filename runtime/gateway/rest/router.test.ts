import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Route } from "../../spec/route.js";
import { Router } from "./router.js";

const { getOrder, cancelOrder, placeOrder, listOrders } = OrderService.method;
const routes = [
  { verb: "GET", path: "/v1/orders/{id}", method: getOrder },
  { verb: "GET", path: "/v1/orders/latest", method: listOrders },
  { verb: "GET", path: "/v1/orders", method: listOrders },
  { verb: "POST", path: "/v1/orders", body: "*", method: placeOrder },
  { verb: "POST", path: "/v1/orders/{id}:cancel", body: "*", method: cancelOrder },
  { verb: "GET", path: "/v1/{id=**}", method: getOrder },
] as const satisfies readonly Route[];
const refuse = (_: Route, problem: string) => {
  throw new Error(problem);
};
const router = new Router<Route>(routes, [], refuse);

it.each([
  ["GET", "/v1/orders/1", 0],
  ["HEAD", "/v1/orders/1", 0],
  ["GET", "/v1/orders/latest", 1],
  ["GET", "/v1/orders", 2],
  ["POST", "/v1/orders", 3],
  ["POST", "/v1/orders/1:cancel", 4],
  ["GET", "/v1/orders/1:other", 0],
  ["GET", "/v1/orders/1/lines", 5],
])("%s %s is route %i", (verb, path, index) => {
  expect(router.match(verb, path)).toMatchObject({ kind: "found", route: routes[index] });
});

it("tells a wrong verb from an unknown path", () => {
  expect(router.match("DELETE", "/v1/orders")).toEqual({ kind: "wrong-verb", allow: ["GET", "HEAD", "POST"] });
  expect(router.match("GET", "/v1/orders/1:cancel")).toEqual({ kind: "wrong-verb", allow: ["POST"] });
  expect(router.match("GET", "/v2/orders")).toEqual({ kind: "unknown" });
});

it.each([
  ["GET", "/v1/orders/{order_id}", `${getOrder}`],
  ["GET", "/v1/orders/{order_id=*}", `${getOrder}`],
  ["GET", "/v1/%6Frders/*", `${getOrder}`],
  ["GET", "/v1/**", `${getOrder}`],
  ["GET", "/healthz", "the gateway itself"],
  ["POST", "/readyz", "the gateway itself"],
  ["GET", "/%6Detrics", "the gateway itself"],
  ["POST", "/shop.orders.v1.OrderService/GetOrder", "RPC calls of shop.orders.v1.OrderService"],
  ["GET", "/grpc.health.v1.Health/{id=**}", "RPC calls of grpc.health.v1.Health"],
] as const)("skips %s %s, and serves the others", (verb, path, owner) => {
  const skipped: string[] = [];
  const route: Route = { verb, path, method: listOrders };
  const all = new Router<Route>([...routes, route], ["shop.orders.v1.OrderService"], (_, problem) =>
    skipped.push(problem),
  );
  expect(skipped).toEqual([`${verb} ${path} already leads to ${owner}`]);
  expect(all.match("GET", "/v1/orders/1")).toMatchObject({ kind: "found", route: routes[0] });
});

it("skips a path that says the same as another: * on the other side of **", () => {
  const skipped: string[] = [];
  const paths = ["/v1/a/*/**", "/v1/a/**/{x}", "/v1/a/**/*/b", "/v1/a/{x=*/**}/b"];
  const all = paths.map((path): Route => ({ verb: "GET", path, method: getOrder }));
  new Router<Route>(all, [], ({ path }) => skipped.push(path));
  expect(skipped).toEqual(["/v1/a/**/{x}", "/v1/a/{x=*/**}/b"]);
});

describe("of several templates that match", () => {
  const among = (templates: readonly string[]) => {
    const all = templates.map((path): Route => ({ verb: "GET", path, method: getOrder }));
    const router = new Router<Route>(all, [], refuse);
    return (path: string) => {
      const found = router.match("GET", path);
      return found.kind === "found" ? found.route.path : found.kind;
    };
  };

  it.each([
    ["/v1/items", ["/v1/items/{id=**}", "/v1/items"], "/v1/items"],
    ["/v1/items/1", ["/v1/items/{id=**}", "/v1/items"], "/v1/items/{id=**}"],
    ["/v1/items", ["/v1/{id=**}", "/v1/*", "/v1/items/**"], "/v1/items/**"],
    ["/v1/items", ["/v1/items/**", "/v1/*"], "/v1/items/**"],
    ["/v1/a/b", ["/v1/{x}/b", "/v1/a/{x}"], "/v1/a/{x}"],
    ["/v1/a/b", ["/v1/{x=**}", "/v1/{x=a/**}", "/v1/{x}/**"], "/v1/{x=a/**}"],
    ["/v1/a/b", ["/**", "/v1/{x}/**", "/*/{y=a/*}"], "/v1/{x}/**"],
    ["/", ["/**", "/"], "/"],
    ["/v1", ["/**", "/v1/**", "/v1"], "/v1"],
    ["/v1/a:b", ["/v1/{x}", "/v1/{x}:b", "/v1/a%3Ab"], "/v1/{x}:b"],
    ["/v1/a:b:c", ["/v1/{x}:c", "/v1/{x}:b:c", "/v1/a:c"], "/v1/{x}:b:c"],
    ["/v1/a:c", ["/v1/{x}:c", "/v1/a:c", "/v1/**:c"], "/v1/a:c"],
    ["/v1/a/b", ["/v1/**", "/v1/**/b"], "/v1/**/b"],
    ["/v1/a/b", ["/v1/**/b", "/v1/**/a/b"], "/v1/**/a/b"],
    ["/v1/a/b", ["/v1/**/b", "/v1/**/{x}/b"], "/v1/**/{x}/b"],
    ["/v1/a/b", ["/v1/{x}/**", "/v1/**/b"], "/v1/**/b"],
    ["/v1/a/b", ["/v1/a/**", "/v1/**/a/b"], "/v1/a/**"],
    ["/v1/a/b", ["/v1/**/b", "/v1/*/*"], "/v1/*/*"],
    [
      "/v1/docs/c",
      ["/v1/{parent=docs/**}/{id}", "/v1/{name=docs/**}", "/v1/{p=docs/*/**}/{id}"],
      "/v1/{parent=docs/**}/{id}",
    ],
  ])("%s among %j goes to %s", (path, templates, expected) => {
    for (const order of [templates, templates.toReversed()]) expect(among(order)(path)).toBe(expected);
  });

  it("the same wins as by comparing all of them, one segment after the other", () => {
    fc.assert(
      fc.property(fc.uniqueArray(template, { minLength: 1, maxLength: 8, selector: shape }), (templates) => {
        const match = among(templates.map(write));
        for (const path of everyPath) {
          const winner = bruteForce(templates, path);
          expect(match(path), path).toBe(winner === undefined ? "unknown" : write(winner));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("one that matches only part of what another matches goes first", () => {
    fc.assert(
      fc.property(template, template, (narrow, wide) => {
        const of = (each: Shape) => {
          const its = pattern(each);
          return everyLongPath.filter((path) => its.test(path));
        };
        const [some, all] = [of(narrow), new Set(of(wide))];
        fc.pre(some.length < all.size && some.every((path) => all.has(path)));
        const match = among([write(wide), write(narrow)]);
        for (const path of some) expect(match(path), path).toBe(write(narrow));
      }),
      { numRuns: 200 },
    );
  });
});

/** A template as it is drawn: `a`, `b`, `*` and perhaps a `**` among them, with a verb or without. */
interface Shape {
  readonly segments: readonly string[];
  readonly verb: string;
}

const template: fc.Arbitrary<Shape> = fc
  .record({
    fixed: fc.array(fc.constantFrom("a", "b", "*"), { maxLength: 3 }),
    rest: fc.option(fc.nat(3), { nil: undefined }),
    verb: fc.constantFrom("", "", ":v", ":w", ":v:w"),
  })
  .map(({ fixed, rest, verb }) => {
    const segments = rest === undefined ? fixed : [...fixed.slice(0, rest), "**", ...fixed.slice(rest)];
    return { segments, verb: segments.length === 0 ? "" : verb };
  });

/** Every path of up to so many segments, and with every verb. */
const pathsOf = (longest: number) =>
  ["", ":v", ":w", ":v:w", ":w:v"].flatMap((verb) => {
    const grow = (paths: string[]) => paths.flatMap((path) => ["a", "c"].map((segment) => `${path}/${segment}`));
    const lengths = [grow([""])];
    for (let i = 1; i < longest; i++) lengths.push(grow(lengths.at(-1)!));
    return ["/", ...lengths.flat()].map((path) => path + verb);
  });
const everyPath = pathsOf(4);
/** Enough to tell what two templates match that have three segments each beside `**`. */
const everyLongPath = pathsOf(7);

/** What no two templates share: `*` beside `**` means the same on either side. */
const shape = ({ segments, verb }: Shape) => restFirst(segments).join("/") + verb;
const write = ({ segments, verb }: Shape) => `/${segments.join("/")}${verb}`;

function pattern({ segments, verb }: Shape): RegExp {
  const texts = segments.map((segment) => ({ "*": "/[^/]+", "**": "(/[^/]*)*" })[segment] ?? `/${segment}`);
  // Of a template that needs no segment, "/" is one without any.
  return new RegExp(
    `^${segments.every((segment) => segment === "**") ? `(${texts.join("")}|/)` : texts.join("")}${verb}$`,
  );
}

/** The winner by the rule's own words: longest verb first; then literal, `*`, the end, `**`, from the left; then from the right. */
function bruteForce(templates: readonly Shape[], path: string): Shape | undefined {
  let left = templates.filter((each) => pattern(each).test(path));
  const longest = Math.max(...left.map(({ verb }) => verb.length));
  left = left.filter(({ verb }) => verb.length === longest);
  const narrow = (marks: readonly RegExp[], of: (segments: readonly string[]) => string | undefined) => {
    for (const better of marks) {
      const best = left.filter(({ segments }) => better.test(of(restFirst(segments)) ?? ""));
      if (best.length === 0) continue;
      left = best;
      break;
    }
  };
  for (let i = 0; i < 5; i++)
    narrow(
      [/^[a-z]$/, /^\*$/, /^$/, /^\*\*$/],
      (segments) => segments.slice(0, segments.indexOf("**") + 1 || undefined)[i],
    );
  for (let i = 1; i < 5; i++)
    narrow([/^[a-z]$/, /^\*$/, /^$/], (segments) => segments.slice(segments.indexOf("**") + 1).at(-i));
  return left[0];
}

/** The same with `**` before each `*` that stands beside it. */
function restFirst(segments: readonly string[]): string[] {
  return segments
    .join("/")
    .replace(/(^|(?<=\/))((?:\*\/)+)\*\*/, (_, __, stars) => `**/${stars.slice(0, -1)}`)
    .split("/")
    .filter(Boolean);
}
