import { fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorSet, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { Image } from "./buf.js";

/** The descriptors in an image, comments and places included; a copy of its own for each caller. */
export function descriptors({ bytes }: Image): FileDescriptorSet {
  return fromBinary(FileDescriptorSetSchema, bytes);
}
