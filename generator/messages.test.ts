import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { printMessagesAside, printMessagesHere } from "./messages.js";
import { compile } from "./testing/image.js";

const image = await compile(join(fileURLToPath(new URL("./testdata/", import.meta.url)), "plain"));
const request = {
  descriptors: toBinary(FileDescriptorSetSchema, image),
  fileToGenerate: image.file.map(({ name }) => name).filter((name) => !/^(google|buf|scaffold)\//.test(name)),
  parameter: "target=ts,import_extension=js",
};

test("another process prints the same", async () => {
  const here = printMessagesHere(request);
  expect(here.length).toBeGreaterThan(0);
  expect(await printMessagesAside(request)).toEqual(here);
});

test("what goes wrong there is told", async () => {
  await expect(printMessagesAside({ ...request, parameter: "target=cobol" })).rejects.toThrow("target=cobol");
});
