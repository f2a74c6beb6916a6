import { type DescField, ScalarType } from "@bufbuild/protobuf";

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
 * A text from the URL as ProtoJSON. ProtoJSON itself has numbers, instants and bytes in quotes; booleans and numbers of enum
 * values are what a URL adds. A text that fits no value is left in quotes, for the reader of ProtoJSON to refuse.
 */
export function jsonFromText(field: DescField, text: string): string {
  const isBool = field.message?.typeName === "google.protobuf.BoolValue" || scalarOf(field) === ScalarType.BOOL;
  const isBare = isBool ? text === "true" || text === "false" : field.enum !== undefined && whole.test(text);
  return isBare ? text : JSON.stringify(text);
}

const whole = /^-?(?:0|[1-9][0-9]*)$/;

function scalarOf(field: DescField): ScalarType | undefined {
  return field.fieldKind === "scalar" || field.fieldKind === "list" ? field.scalar : undefined;
}
