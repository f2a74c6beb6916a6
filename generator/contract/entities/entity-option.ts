import { type DescMessage, hasOption } from "@bufbuild/protobuf";
import { entity } from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";

/** Returns whether a message has the option (scaffold.v1.entity). */
export function isEntity(message: DescMessage): boolean {
  return hasOption(message, entity);
}
