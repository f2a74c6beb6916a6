import { expect, it } from "vitest";
import { closest, didYouMean } from "./closest.js";

it("finds the word that was meant", () => {
  const words = ["generate", "lint", "breaking", "ps"];
  expect(closest("genrate", words)).toBe("generate");
  expect(closest("lnit", words)).toBe("lint");
  expect(closest("Breaking", words)).toBe("breaking");
  expect(closest("deploy", words)).toBeUndefined();
  expect(didYouMean("deploy", words)).toBe("");
});
