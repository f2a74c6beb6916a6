import { create } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { Histories } from "../contract/events/history.js";
import type { EmittedFile } from "../emit/emitter.js";
import { wellKnownFiles } from "../evolve/shape.js";
import { printMessages } from "./messages.js";

/** Returns the `_pb` files of old versions of events, for their upcasters. */
export function printOldMessages(histories: Histories): EmittedFile[] {
  const upcasts = [...histories.values()].flatMap((history) => history.upcasts);
  return upcasts.flatMap(({ old: { file } }) =>
    printMessages(create(FileDescriptorSetSchema, { file: [...dependencies(file.proto), file.proto] })),
  );
}

function dependencies({ dependency }: FileDescriptorProto): FileDescriptorProto[] {
  return dependency.flatMap((name) => wellKnownFiles.get(name)?.proto ?? []);
}
