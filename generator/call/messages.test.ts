import type { DescMethod, Message } from "@bufbuild/protobuf";
import { createRegistry } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { KindService } from "../../runtime/gateway/testing/kinds.js";
import { file_two, LegacySchema } from "../testdata/codec/expected/generated/two_pb.js";
import { readMessage, readMessages } from "./messages.js";

const echo = KindService.method.echo!;
const registry = createRegistry(file_two);

async function all(data: string[], method: DescMethod = echo): Promise<Message[]> {
  const found: Message[] = [];
  for await (const message of readMessages(data, method, registry)) found.push(message);
  return found;
}

it("reads whole numbers exactly, and every key", async () => {
  const [first, second] = (await all(['{"bigCount": 9007199254740993}{"labels": {"__proto__": "a"}}'])) as unknown as [
    object,
    { labels: object },
  ];
  expect(first).toMatchObject({ bigCount: 9007199254740993n });
  expect(Object.entries(second.labels)).toEqual([["__proto__", "a"]]);
  expect(await readMessage([], echo, registry)).toMatchObject({ $typeName: "testing.Kinds" });
});

it.each(["{", "}", "{]", '{"small" 1}', "nul", '"', '{"small": 1,}'])("refuses %s", async (text) => {
  await expect(all(["{} ", text])).rejects.toThrow(/^document 2: .*(the JSON is broken at character|is not an object)/);
});

it("says what is wrong, and where", async () => {
  await expect(all(['{"small": 1, "small": 2}'])).rejects.toThrow("document 1: small: is given twice");
  await expect(all(['{"smal": 1}'])).rejects.toThrow(
    'document 1: there is no field "smal" in testing.Kinds. Did you mean small? Kinds has: flag, big_count',
  );
  const legacy = { ...echo, input: LegacySchema } as DescMethod;
  await expect(all(['{"id": "a", "needed": "RED"}'], legacy)).rejects.toThrow(
    "document 1: main is required, and is not set",
  );
});
