import { expect, test } from "vitest";
import { now } from "./clock.js";

/** How many reads it takes until the clock has come to an instant; at most `most`. */
function readsUntil(instant: number, most: number): number {
  let reads = 1;
  while (reads < most && now() < instant) reads++;
  return reads;
}

test("a clock that stands still in a burst goes on after 100 reads", () => {
  const seen = Array.from({ length: 10_000 }, now);
  expect(new Set(seen).size).toBeLessThan(seen.length / 2);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(readsUntil(performance.now(), 1000)).toBeLessThanOrEqual(101);
});

test("it stands still no longer than the turn of the event loop", async () => {
  for (let n = 0; n < 10; n++) {
    for (let reads = 0; reads < 150; reads++) now();
    await new Promise(setImmediate);
    expect(readsUntil(performance.now(), 2)).toBe(1);
  }
});
