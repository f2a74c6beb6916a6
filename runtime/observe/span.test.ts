import { expect, test } from "vitest";
import { activeCollectors, collectSpans, type SpanCollector, startSpan, timed } from "./span.js";
import { activeTiming, Timing } from "./timing.js";

/** Returns a collector that writes down what it is told, under a name. */
function recorder(name: string, lines: string[]): SpanCollector {
  return {
    start(span, description) {
      lines.push(`${name} starts ${span}: ${description}`);
      return {
        end: (found) => void lines.push(`${name} ends ${span}: ${found}`),
        fail: (error) => void lines.push(`${name} fails ${span}: ${error}`),
      };
    },
  };
}

test("without a collector there is no span, and what would be timed just runs", async () => {
  expect(activeCollectors()).toBeUndefined();
  expect(startSpan("orders.db")).toBeUndefined();
  expect(await timed("orders.db", "select", async () => 7)).toBe(7);
});

test("each collector of a call is told of each span, with what was found at its end", async () => {
  const lines: string[] = [];
  await collectSpans([recorder("a", lines), recorder("b", lines)], async () => {
    await timed(
      "orders.cache",
      (row: number) => `row ${row}`,
      async () => 7,
    );
    await timed("orders.db", "select", async () => undefined);
  });
  expect(lines).toEqual([
    "a starts orders.cache: undefined",
    "b starts orders.cache: undefined",
    "a ends orders.cache: row 7",
    "b ends orders.cache: row 7",
    "a starts orders.db: select",
    "b starts orders.db: select",
    "a ends orders.db: undefined",
    "b ends orders.db: undefined",
  ]);
});

test("a span that fails is told its error", async () => {
  const lines: string[] = [];
  const failing = collectSpans([recorder("a", lines), recorder("b", lines)], () =>
    timed("orders.db", "select", () => Promise.reject(new Error("no rows"))),
  );
  await expect(failing).rejects.toThrow("no rows");
  expect(lines.slice(2)).toEqual(["a fails orders.db: Error: no rows", "b fails orders.db: Error: no rows"]);
});

test("a call inside of another one in the same process is collected apart", async () => {
  const lines: string[] = [];
  await collectSpans([recorder("outer", lines)], () =>
    timed("gateway", "call", () =>
      collectSpans([recorder("inner", lines)], () => timed("orders", "GetOrder", async () => undefined)),
    ),
  );
  expect(lines).toEqual([
    "outer starts gateway: call",
    "inner starts orders: GetOrder",
    "inner ends orders: undefined",
    "outer ends gateway: undefined",
  ]);
});

test("Server-Timing is found beside other collectors", () => {
  const timing = new Timing();
  collectSpans([recorder("a", []), timing], () => {
    startSpan("orders.db", "select")?.end();
    expect(activeTiming()).toBe(timing);
  });
  expect(timing.toString()).toMatch(/^orders\.db;desc="select";dur=[\d.]+$/);
  collectSpans([recorder("a", [])], () => expect(activeTiming()).toBeUndefined());
});

test("of several ends the last one counts", () => {
  const timing = new Timing();
  const span = timing.start("orders.cache");
  span.end("hit 2");
  span.end("hit 1, stale 1");
  expect(timing.toString()).toMatch(/^orders\.cache;desc="hit 1, stale 1";dur=[\d.]+$/);
});
