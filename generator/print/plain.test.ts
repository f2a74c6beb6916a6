import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { buildContract } from "../contract/build.js";
import { plan } from "../plan.js";
import { compile } from "../testing/image.js";
import { isKnown } from "./fast.js";

vi.mock("./protoplugin.js", async () => (await import("./plain.js")).loadPlainly());

const testdata = fileURLToPath(new URL("../testdata/", import.meta.url));

test.each(["plain", "codec", "library"])("prints %s without shortcuts as with them", async (name) => {
  const image = await compile(join(testdata, name));
  const target = { generated: "generated", package: "@acme/generated" };
  const files = await plan(buildContract(image).contract, image, target);
  const expected = join(testdata, name, "expected");
  const there = (await readdir(expected, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  expect(files.length).toBe(there.length);
  for (const { path, content } of files) expect(content, path).toBe(await readFile(join(expected, path), "utf8"));
});

test("the installed printer is the one that the shortcuts were written for", async () => {
  expect(isKnown()).toBe(true);
  const printer = createRequire(import.meta.url).resolve("@bufbuild/protoplugin");
  expect(await readFile(join(dirname(printer), "names.js"), "utf8")).toMatch(/^function allNames\(file\) \{$/m);
});
