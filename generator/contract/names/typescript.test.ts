import { create } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { buildContract } from "../build.js";

// Not among generator/testdata: such files cannot be checked out on every system.
test("files that differ in upper and lower case only are refused", () => {
  const file = ["shop/Order.proto", "shop/cart.proto", "shop/order.proto"].map((name) => ({ name, syntax: "proto3" }));
  const { findings } = buildContract(create(FileDescriptorSetSchema, { file }));
  expect(findings).toEqual([expect.objectContaining({ file: "shop/order.proto", rule: "NAME_TAKEN" })]);
  expect(findings[0]?.message).toContain("shop/Order.proto and shop/order.proto differ in upper and lower case only");
});
