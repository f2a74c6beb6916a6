import { expect, test } from "vitest";
import { Breaker } from "./breaker.js";

test("what fails is left alone, then tried by one at a time, and trusted again when it answers", async () => {
  let now = 0;
  let asked = 0;
  let works = false;
  const breaker = new Breaker(() => now);
  const ask = () =>
    breaker.try(async () => {
      asked++;
      if (!works) throw new Error("away");
      return "answer";
    });
  for (let i = 0; i < 10; i++) expect(await ask()).toBeUndefined();
  expect(asked).toBe(3);
  now = 999;
  await ask();
  expect(asked).toBe(3);
  now = 1000;
  await Promise.all([ask(), ask(), ask()]);
  expect(asked).toBe(4);
  works = true;
  now = 2000;
  expect(await ask()).toBe("answer");
  expect(await ask()).toBe("answer");
});

test("a few failures in between are nothing", async () => {
  const breaker = new Breaker(() => 0);
  for (let i = 0; i < 10; i++) {
    for (const _ of [1, 2]) await breaker.try(() => Promise.reject(new Error("away")));
    expect(await breaker.try(async () => i)).toBe(i);
  }
});
