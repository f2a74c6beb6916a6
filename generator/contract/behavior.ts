import { type DescField, getOption, hasOption } from "@bufbuild/protobuf";
import {
  type FieldBehavior,
  field_behavior,
} from "@protoscaffold/runtime/codegen/options/google/api/field_behavior_pb.js";

/** Whether the contract says so of a field (AIP-203). */
export function behaves(field: DescField, behavior: FieldBehavior): boolean {
  // What is not there is costly to get, and most fields have none.
  return hasOption(field, field_behavior) && getOption(field, field_behavior).includes(behavior);
}
