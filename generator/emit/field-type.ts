import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { Column } from "../contract/contract.js";

/** A message, or a list of messages, that TypeScript holds as such: it holds a Struct as what is in it. */
export function isOwnMessage(field: DescField): field is DescField & { message: DescMessage } {
  return (
    field.message !== undefined && field.fieldKind !== "map" && field.message.typeName !== "google.protobuf.Struct"
  );
}

/** Whether what a column holds is a bigint in TypeScript. */
export function isWide({ scalar }: Column): boolean {
  return scalar === ScalarType.INT64 || scalar === ScalarType.SINT64 || scalar === ScalarType.SFIXED64;
}
