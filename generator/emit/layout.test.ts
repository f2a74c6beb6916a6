import { expect, test } from "vitest";
import { layout } from "./layout.js";

const name = "AVeryLongNameOfAMessageInsideOfAnotherMessageThatNobodyWouldWriteByHand";

test("a signature that is too long has its parameters one a line", () => {
  const text = layout(`export function read${name}(r: Reader, end: number, before?: ${name}): ${name} {\n}\n`);
  expect(text).toBe(
    `export function read${name}(\n  r: Reader,\n  end: number,\n  before?: ${name},\n): ${name} {\n}\n`,
  );
});

test("one without parameters stays as it is, and so does what fits", () => {
  for (const line of [`export function new${name}(): ${name} {`, "export function a(b: number): void {"]) {
    expect(layout(`${line}\n}\n`)).toBe(`${line}\n}\n`);
  }
});
