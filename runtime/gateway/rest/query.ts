import { type DescField, ScalarType } from "@bufbuild/protobuf";

/**
 * Parses a query string (without "?") into names and values.
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

/** The message types whose ProtoJSON form is one scalar value, so that a URL can contain it. */
const plainMessages = new Set(
  ["Timestamp", "Duration", "FieldMask"]
    .concat(
      ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"].map((n) => `${n}Value`),
    )
    .map((name) => `google.protobuf.${name}`),
);

/** Returns whether a path or a query parameter can contain a field's value, or one element of a repeated field. */
export function fitsInUrl(field: DescField): boolean {
  if (field.fieldKind === "map") return false;
  return field.message === undefined || plainMessages.has(field.message.typeName);
}

/**
 * Returns the ProtoJSON form of a text from the URL. ProtoJSON accepts most scalars as strings, so that quotes suffice, except
 * booleans and the numbers of enum values. An invalid text is quoted, too: the ProtoJSON reader refuses it.
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
