import { expect, test } from "vitest";
import { parseTraceparent } from "./trace-context.js";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const parentId = "00f067aa0ba902b7";

test.each([
  [`00-${traceId}-${parentId}-01`, true],
  [`00-${traceId}-${parentId}-00`, false],
  // Of a later version the fields that are known hold, flags that are not are passed over.
  [`cc-${traceId}-${parentId}-03-what-the-future-will-be-like`, true],
])("%s is a place in a trace", (header, sampled) => {
  expect(parseTraceparent(header)).toEqual({ traceId, parentId, sampled });
});

test.each([
  undefined,
  null,
  "",
  `00-${traceId}-${parentId}-01-more`,
  `ff-${traceId}-${parentId}-01`,
  `00-${traceId.toUpperCase()}-${parentId}-01`,
  `00-${"0".repeat(32)}-${parentId}-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  `00-${traceId}-${parentId}`,
])("%s is none", (header) => {
  expect(parseTraceparent(header)).toBeUndefined();
});
