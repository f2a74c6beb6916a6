import type { DescField, JsonValue } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";

/**
 * Cuts a query string (without "?") into names and values.
 *
 * @throws URIError if its percent-encoding is not well-formed UTF-8
 */
export function parseQuery(query: string): [name: string, value: string][] {
  return query
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const [name, value = ""] = part.replaceAll("+", " ").split(/=(.*)/s);
      return [decodeURIComponent(name!), decodeURIComponent(value)];
    });
}

/** Messages that ProtoJSON writes as one plain value, so that a URL can hold them. */
const plainMessages = new Set(
  ["Timestamp", "Duration", "FieldMask"]
    .concat(
      ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"].map((n) => `${n}Value`),
    )
    .map((name) => `google.protobuf.${name}`),
);

/** Whether a path or a query parameter can hold a field's value (or one element, if it is repeated). */
export function fitsInUrl(field: DescField): boolean {
  if (field.fieldKind === "map") return false;
  return field.message === undefined || plainMessages.has(field.message.typeName);
}

/**
 * The ProtoJSON value of a text from the URL. ProtoJSON itself reads numbers, timestamps and bytes from text; booleans,
 * enum numbers and field masks in proto spelling are what a URL adds. A text that fits no value is left as it is, for
 * the ProtoJSON parser to refuse.
 */
export function jsonFromText(field: DescField, text: string): JsonValue {
  const isBool = field.message?.typeName === "google.protobuf.BoolValue" || scalarOf(field) === ScalarType.BOOL;
  if (isBool) return text === "true" ? true : text === "false" ? false : text;
  if (field.enum !== undefined && /^-?\d+$/.test(text)) return Number(text);
  if (field.message?.typeName === "google.protobuf.FieldMask") {
    return text.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  }
  return text;
}

function scalarOf(field: DescField): ScalarType | undefined {
  return field.fieldKind === "scalar" || field.fieldKind === "list" ? field.scalar : undefined;
}
