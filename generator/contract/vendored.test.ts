import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { isOwn, rewrites } from "./vendored.js";

test("the words that the runtime brings are imported from it", () => {
  const options = fileURLToPath(new URL("../../runtime/options/", import.meta.url));
  const there = readdirSync(options, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith("_pb.ts"));
  const lent = rewrites.filter(([, from]) => from.startsWith("@protoscaffold/")).map(([file]) => file);
  expect(lent.toSorted()).toEqual(there.map((path) => `./${path.replace(/\.ts$/, ".js")}`).toSorted());
});

test("what only looks like lent words is the project's own", () => {
  expect(isOwn("google/api/annotations.proto")).toBe(false);
  expect(isOwn("google/protobuf/timestamp.proto")).toBe(false);
  expect(isOwn("google/api/client.proto")).toBe(true);
  expect(isOwn("grpc/gateway/v1/gateway.proto")).toBe(true);
  expect(isOwn("google/protobuf/bridge/message_set.proto")).toBe(true);
  expect(isOwn("constructor.proto")).toBe(true);
});
