import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorSet, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { Image } from "./buf.js";

/** Descriptors twice: to be read, and as the bytes that say the same. */
export interface Descriptors {
  readonly files: FileDescriptorSet;
  readonly bytes: Uint8Array;
}

/** The descriptors in an image, comments and places included; a copy of its own for each caller. */
export function descriptors({ bytes }: Image): FileDescriptorSet {
  return fromBinary(FileDescriptorSetSchema, bytes);
}

/** Descriptors with their bytes, where there are none yet. */
export function withBytes(files: FileDescriptorSet): Descriptors {
  return { files, bytes: toBinary(FileDescriptorSetSchema, files) };
}
