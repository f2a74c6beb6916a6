import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { codecsOfRuntime } from "../contract/vendored.js";
import { wellKnownCodecs } from "../testing/well-known-codecs.js";

test("the runtime library's codecs of Protobuf's own messages are what the tool prints", async () => {
  const printed = wellKnownCodecs();
  expect([...printed.keys()]).toEqual(codecsOfRuntime.map((path) => `${path}_codec.ts`));
  for (const [path, text] of printed) {
    await expect(text).toMatchFileSnapshot(fileURLToPath(new URL(`../../runtime/codec/${path}`, import.meta.url)));
  }
});
