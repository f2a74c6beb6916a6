import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { compile } from "../testing/image.js";
import { printInWorker } from "./message-worker.js";
import { printMessages } from "./messages.js";

const image = await compile(join(fileURLToPath(new URL("../testdata/", import.meta.url)), "plain"));
const bytes = toBinary(FileDescriptorSetSchema, image);

test("another thread prints the same", async () => {
  const here = printMessages(image);
  expect(here.length).toBeGreaterThan(0);
  expect(await printInWorker({ bytes }, 0).messages).toEqual(here);
});

test("of a small contract nothing is printed in a worker", () => {
  expect(printInWorker({ bytes }).messages).toBeUndefined();
});

test("what goes wrong there is told", async () => {
  await expect(printInWorker({ bytes: Uint8Array.of(8) }, 0).messages).rejects.toThrow("premature EOF");
});

test("what is not waited for can be given up", async () => {
  const worker = printInWorker({ bytes }, 0);
  worker.end();
  await expect(worker.messages).rejects.toThrow("has ended");
});
