import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createFileRegistry, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { isOwn } from "../contract/vendored.js";
import { compile } from "../testing/image.js";
import { compare } from "./compare.js";
import { samplesOf } from "./samples.js";
import { messageOf, shapeOf } from "./shape.js";

/** All messages of a folder's contracts. */
async function messagesOf(name: string): Promise<DescMessage[]> {
  const image = await compile(fileURLToPath(new URL(`../testdata/${name}`, import.meta.url)));
  const files = [...createFileRegistry(image).files].filter((file) => isOwn(`${file.name}.proto`));
  const types = files.flatMap((file) => [...nestedTypes(file)]);
  return types.filter((desc) => desc.kind === "message");
}

describe.each(["codec", "any", "presence", "plain", "columns"])("the messages of %s", (folder) => {
  test("are recorded as they are on the wire, whatever their syntax is", async () => {
    const messages = await messagesOf(folder);
    expect(messages.length).toBeGreaterThan(0);
    for (const message of messages) {
      const shape = shapeOf(message);
      const recorded = messageOf(shape);
      // Recorded once more it is the same, and so it is under other names.
      expect(shapeOf(recorded)).toEqual(shape);
      const renamed = messageOf(shapeOf(message, join("other", "place"), "7"));
      for (const other of [message, renamed]) {
        expect(compare(recorded, other), message.typeName).toEqual({
          change: "none",
          carries: other.members.flatMap((member) =>
            (member.kind === "oneof" ? member.fields : [member]).map(({ number }) => number),
          ),
          holes: [],
        });
      }
      for (const [name, bytes] of Object.entries(samplesOf(recorded))) {
        expect(toBinary(message, fromBinary(message, bytes)), `${message.typeName} ${name}`).toEqual(bytes);
      }
      expect(toBinary(FileDescriptorProtoSchema, shape).length).toBeGreaterThan(0);
    }
  });
});
