import { type DescField, getOption } from "@bufbuild/protobuf";
import { type FieldBehavior, field_behavior } from "@protoscaffold/runtime/options/google/api/field_behavior_pb.js";

/** Whether the contract says so of a field (AIP-203). */
export function behaves(field: DescField, behavior: FieldBehavior): boolean {
  return getOption(field, field_behavior).includes(behavior);
}
