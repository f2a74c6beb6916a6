import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** A message, or a list of messages, that TypeScript holds as such: it holds a Struct as what is in it. */
export function isOwnMessage(field: DescField): field is DescField & { message: DescMessage } {
  return (
    field.message !== undefined && field.fieldKind !== "map" && field.message.typeName !== "google.protobuf.Struct"
  );
}
