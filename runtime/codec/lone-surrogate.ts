import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { EncodeError } from "./encode-error.js";

/** A string with half a character of UTF-16, which UTF-8 cannot say. Codecs refuse it: in its place would be U+FFFD. */
export class LoneSurrogateError extends EncodeError {
  /** @param field the string's place, "shop.orders.v1.Order.lines[1].product_id", where it is known */
  constructor(field = "a string") {
    super(`${field} has a lone surrogate, half a character: cut strings between characters, or use toWellFormed()`);
  }
}

/**
 * The place of the first string with a lone surrogate in a message, or in what `create` would make one of:
 * "lines[1].product_id". Undefined if there is none.
 */
export function loneSurrogateIn(schema: DescMessage, message: object): string | undefined {
  for (const field of textFieldsOf(schema)) {
    const value = valueIn(message as Init, field);
    const path = value == null ? undefined : pathIn(field, value);
    if (path !== undefined) return `${field.name}${path}`;
  }
  return undefined;
}

type Init = Readonly<Record<string, unknown>>;

function valueIn(message: Init, { oneof, localName }: DescField): unknown {
  if (oneof === undefined) return Object.hasOwn(message, localName) ? message[localName] : undefined;
  const choice = message[oneof.localName] as { case?: string; value?: unknown } | undefined;
  return choice?.case === localName ? choice.value : undefined;
}

function pathIn(field: DescField, value: unknown): string | undefined {
  if (field.fieldKind === "list") return pathInList(value as unknown[], (item) => pathInItem(field, item));
  if (field.fieldKind === "map") return pathInMap(value as Init, (item) => pathInItem(field, item));
  return pathInItem(field, value);
}

function pathInItem(field: DescField, value: unknown): string | undefined {
  const { message } = field;
  if (message === undefined || typeof value !== "object" || value === null) return pathInJson(value);
  // A Struct in a field is held as JSON, except in a Value.
  const isJson = message.typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value";
  if (isJson) return pathInJson(value);
  const path = loneSurrogateIn(message, value);
  return path === undefined ? undefined : `.${path}`;
}

function pathInJson(value: unknown): string | undefined {
  if (typeof value === "string") return value.isWellFormed() ? undefined : "";
  if (Array.isArray(value)) return pathInList(value, pathInJson);
  return typeof value === "object" && value !== null ? pathInMap(value as Init, pathInJson) : undefined;
}

function pathInList(list: readonly unknown[], pathOf: (item: unknown) => string | undefined): string | undefined {
  for (const [index, item] of list.entries()) {
    const path = pathOf(item);
    if (path !== undefined) return `[${index}]${path}`;
  }
  return undefined;
}

function pathInMap(map: Init, pathOf: (value: unknown) => string | undefined): string | undefined {
  for (const key of Object.keys(map)) {
    const path = key.isWellFormed() ? pathOf(map[key]) : "";
    // Escapes what is no text in the key.
    if (path !== undefined) return `[${JSON.stringify(key)}]${path}`;
  }
  return undefined;
}

/** The fields of each type that are strings, or may have some in them. */
const textFields = new WeakMap<DescMessage, readonly DescField[]>();

function textFieldsOf(schema: DescMessage): readonly DescField[] {
  let fields = textFields.get(schema);
  if (fields === undefined) {
    fields = schema.fields.filter((field) => hasText(field, new Set()));
    textFields.set(schema, fields);
  }
  return fields;
}

function hasText(field: DescField, seen: Set<DescMessage>): boolean {
  if (field.fieldKind === "map" && field.mapKey === ScalarType.STRING) return true;
  const { message } = field;
  if (message === undefined) return field.scalar === ScalarType.STRING;
  if (seen.has(message)) return false;
  seen.add(message);
  return message.fields.some((inner) => hasText(inner, seen));
}
