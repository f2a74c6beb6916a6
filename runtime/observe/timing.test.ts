import { expect, test } from "vitest";
import { timed } from "./span.js";
import { activeTiming, Timing, timedCall, timingHeader, timingRequestHeader } from "./timing.js";

function call(asked = true) {
  return {
    requestHeader: new Headers(asked ? { [timingRequestHeader]: "1" } : {}),
    responseHeader: new Headers(),
  };
}

/** The header without its figures, which no test can know. */
function shape({ responseHeader }: { responseHeader: Headers }): string | undefined {
  return responseHeader.get(timingHeader)?.replaceAll(/dur=\d+(\.\d\d?)?/g, "dur");
}

test("a call that does not ask is not measured", async () => {
  const plain = call(false);
  await timedCall(plain, "orders", "GetOrder", () =>
    timed("orders.db", "select", async () => expect(activeTiming()).toBeUndefined()),
  );
  expect(shape(plain)).toBeUndefined();
});

test("a call that asks is told its parts in the order in which they began, the next hop's among them", async () => {
  const asking = call();
  const answer = await timedCall(asking, "orders", "GetReceipt", async () => {
    await timed(
      "orders.cache",
      (row: number) => (row ? "hit" : "miss"),
      async () => 0,
    );
    await timed("orders.db", 'select "orders"', () => new Promise((resolve) => setImmediate(resolve)));
    activeTiming()?.add("payments;dur=2, payments.cache;dur=0.1");
    await timed("orders.late", undefined, async () => undefined);
    return 7;
  });
  expect(answer).toBe(7);
  expect(shape(asking)).toBe(
    'orders;desc="GetReceipt";dur, orders.cache;desc="miss";dur, orders.db;desc="select \\"orders\\"";dur, ' +
      "payments;dur, payments.cache;dur, orders.late;dur",
  );
});

test("calls that run side by side do not mix", async () => {
  const calls = ["a", "b"].map((name) => ({ name, ...call() }));
  await Promise.all(
    calls.map((one) =>
      timedCall(one, one.name, undefined, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        await timed(`${one.name}.db`, undefined, async () => undefined);
      }),
    ),
  );
  expect(calls.map(shape)).toEqual(["a;dur, a.db;dur", "b;dur, b.db;dur"]);
});

test("a call that fails is measured too", async () => {
  const failing = call();
  const fail = () =>
    timed(
      "orders.cache",
      () => "hit",
      () => Promise.reject(new Error("no")),
    );
  await expect(timedCall(failing, "orders", "GetOrder", fail)).rejects.toThrow("no");
  expect(shape(failing)).toBe('orders;desc="GetOrder";dur, orders.cache;desc="failed";dur');
});

test("the header stays one that HTTP takes", () => {
  const timing = new Timing();
  timing.start("a b\n", "naïve\r\nset-cookie: x").end();
  expect(timing.toString()).toMatch(/^a_b_;desc="na\?ve\?\?set-cookie: x";dur=[\d.]+$/);
  for (let i = 0; i < 10_000; i++) timing.start("orders.db", "select").end();
  expect(timing.toString().length).toBeLessThan(8_100);
});
