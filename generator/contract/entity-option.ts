import { type DescMessage, hasOption } from "@bufbuild/protobuf";
import { entity } from "@protoscaffold/runtime/options/scaffold/v1/options_pb.js";

/** The number of the option, and that of its indexes. */
export const ENTITY = 270100;
export const INDEX = 2;

/** Whether a message says that it is an entity. */
export function isEntity(message: DescMessage): boolean {
  return hasOption(message, entity);
}
