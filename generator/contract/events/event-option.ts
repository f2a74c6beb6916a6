import { type DescMessage, hasOption } from "@bufbuild/protobuf";
import { event } from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";

/** Returns whether a message has the option (scaffold.v1.event). */
export function isEvent(message: DescMessage): boolean {
  return hasOption(message, event);
}
