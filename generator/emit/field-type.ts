import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";

/** A message, or a list of messages, that TypeScript holds as such: it holds wrappers and Struct as what is in them. */
export function isOwnMessage(field: DescField): field is DescField & { message: DescMessage } {
  return (
    field.message !== undefined &&
    field.fieldKind !== "map" &&
    !/^google\.protobuf\.(Struct|\w+Value)$/.test(field.message.typeName)
  );
}

/** Whether a field is a bigint in TypeScript. */
export function isWide({ scalar }: DescField): boolean {
  return scalar === ScalarType.INT64 || scalar === ScalarType.SINT64 || scalar === ScalarType.SFIXED64;
}
