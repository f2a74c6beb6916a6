import { Code } from "@connectrpc/connect";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { expect, test } from "vitest";
import { recordEntity } from "../../../generator/testdata/inherited/expected/generated/contract_repository.js";
import { checkKeyLength } from "./key-length.js";

test("a key may have 1,024 bytes, counted as UTF-8, or what its contract says", () => {
  for (const fits of ["", "a".repeat(1024), "ü".repeat(512), "😀".repeat(256)])
    checkKeyLength(recordEntity as never, fits);
  for (const long of ["a".repeat(1025), "ü".repeat(513), "😀".repeat(257), "a".repeat(900_000)]) {
    const check = () => checkKeyLength(recordEntity as never, long);
    expect(check).toThrow(/value_of.* bytes: it may have 1024/);
    expect(check).toThrow(expect.objectContaining({ code: Code.InvalidArgument }));
  }
  // Its rule has been checked before, with the request.
  checkKeyLength(productEntity as never, "a".repeat(2000));
});
