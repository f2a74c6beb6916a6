import { fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorSet, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { withoutIgnores } from "../contract/findings/ignore-comments.js";
import type { Image } from "./compile.js";

/**
 * Returns the descriptors in an image, with comments and places, except comments that suppress findings: those are for the
 * tool and not for readers of generated code. Each caller gets its own copy.
 */
export function descriptors({ bytes }: Pick<Image, "bytes">): FileDescriptorSet {
  return withoutIgnores(fromBinary(FileDescriptorSetSchema, bytes));
}
