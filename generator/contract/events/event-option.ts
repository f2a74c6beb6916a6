import { type DescMessage, hasOption } from "@bufbuild/protobuf";
import { event } from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";

/** Whether a message says that it is an event. */
export function isEvent(message: DescMessage): boolean {
  return hasOption(message, event);
}
