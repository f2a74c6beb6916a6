import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffMs, jittered } from "./backoff.js";

const policy = { initialBackoffMs: 100, maxBackoffMs: 1000, backoffMultiplier: 2 };

test("delays grow by the multiplier, up to the maximum", () => {
  const middle = () => 0.5;
  expect([1, 2, 3, 4, 5, 5000].map((failures) => backoffMs(failures, policy, middle))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
  expect(backoffMs(3, { ...policy, backoffMultiplier: 1 }, middle)).toBe(100);
});

test("delays are jittered by a fifth to either side, after they were bounded", () => {
  expect([0, 0.25, 1].map((chance) => Math.round(backoffMs(1, policy, () => chance)))).toEqual([80, 90, 120]);
  expect(Math.round(backoffMs(10, policy, () => 1))).toBe(1200);
  expect(jittered(500, () => 0)).toBe(400);
});

test("every delay is one that a timer can run for", () => {
  const ms = fc.integer({ min: 0, max: 2 ** 31 - 1 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      ms,
      ms,
      fc.double({ min: 1, max: 100, noNaN: true }),
      (failures, initialBackoffMs, maxBackoffMs, backoffMultiplier) => {
        const delayMs = backoffMs(failures, { initialBackoffMs, maxBackoffMs, backoffMultiplier });
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(Math.min(2 ** 31 - 1, maxBackoffMs * 1.2));
      },
    ),
  );
});
