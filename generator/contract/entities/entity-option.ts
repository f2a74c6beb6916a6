import { type DescMessage, hasOption } from "@bufbuild/protobuf";
import { entity } from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";

/** Whether a message says that it is an entity. */
export function isEntity(message: DescMessage): boolean {
  return hasOption(message, entity);
}
