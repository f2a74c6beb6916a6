import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import { findField } from "./field-path.js";

/**
 * The paths of the fields that a JSON body names, down to the leaves: what a PATCH without a field mask means to change.
 * Lists, maps and google.protobuf's own messages are leaves, because a FieldMask cannot look into them; so are `null`
 * (which clears) and `{}`.
 */
export function fieldMaskPaths(message: DescMessage, json: JsonValue): string[] {
  if (json === null || typeof json !== "object" || Array.isArray(json)) return [];
  return Object.entries(json).flatMap(([key, value]) => {
    const field = findField(message, key);
    if (field === undefined) return [];
    const nested =
      field.fieldKind === "message" && !field.message.typeName.startsWith("google.protobuf.")
        ? fieldMaskPaths(field.message, value)
        : [];
    return nested.length === 0 ? [field.name] : nested.map((path) => `${field.name}.${path}`);
  });
}
