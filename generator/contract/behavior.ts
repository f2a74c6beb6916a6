import { type DescField, getOption, hasOption } from "@bufbuild/protobuf";
import {
  type FieldBehavior,
  field_behavior,
} from "@protoscaffold/runtime/codegen/options/google/api/field_behavior_pb.js";

/** Returns whether a field has the behavior (AIP-203). */
export function behaves(field: DescField, behavior: FieldBehavior): boolean {
  // Reading an absent option is slow, and most fields have none.
  return hasOption(field, field_behavior) && getOption(field, field_behavior).includes(behavior);
}
