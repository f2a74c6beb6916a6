import { fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorSet, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { withoutIgnores } from "../contract/findings/ignore-comments.js";
import type { Image } from "./compile.js";

/**
 * The descriptors in an image, comments and places included, but for the comments that have findings ignored: those are for
 * the tool and not for readers of generated code. A copy of its own for each caller.
 */
export function descriptors({ bytes }: Pick<Image, "bytes">): FileDescriptorSet {
  return withoutIgnores(fromBinary(FileDescriptorSetSchema, bytes));
}
