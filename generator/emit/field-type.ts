import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** Returns whether a field's value is a message or a list of messages in TypeScript. A Struct is a plain object there. */
export function isOwnMessage(field: DescField): field is DescField & { message: DescMessage } {
  return (
    field.message !== undefined && field.fieldKind !== "map" && field.message.typeName !== "google.protobuf.Struct"
  );
}
