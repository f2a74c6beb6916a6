import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { slowFiles } from "./slow-first.js";

test("the slow files are there", () => {
  const root = fileURLToPath(new URL("../", import.meta.url));
  expect(slowFiles.filter((name) => !existsSync(root + name))).toEqual([]);
});
