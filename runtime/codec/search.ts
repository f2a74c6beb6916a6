import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isJsonField, valueOfField } from "./field.js";

/** A search through a message at every depth. Each function returns its finding, or undefined to continue. */
export interface Search<T> {
  /** Visits a string, a map key, or a key of a Struct. */
  text(value: string): T | undefined;
  /** Visits a value in a Struct field, which is JSON. */
  json?(value: unknown): T | undefined;
  /** Visits a message before its fields. */
  message?(schema: DescMessage, message: object): T | undefined;
  /** Returns the fields of a type to visit. Default: those with strings or messages. */
  fields?(schema: DescMessage): readonly DescField[];
}

/** A finding and its path in proto spelling: "lines[1].product_id". */
export interface SearchResult<T> {
  readonly path: string;
  readonly found: T;
}

/** Returns the first finding of a search in a message or an init object for `create`. */
export function searchMessage<T>(schema: DescMessage, message: object, search: Search<T>): SearchResult<T> | undefined {
  const own = search.message?.(schema, message);
  if (own !== undefined) return { path: "", found: own };
  for (const field of search.fields?.(schema) ?? schema.fields) {
    if (isPlain(field)) continue;
    const value = valueOfField(message, field);
    if (value == null) continue;
    const inner = inField(field, value, search);
    if (inner !== undefined) return at(field.name, inner);
  }
  return undefined;
}

type Init = Readonly<Record<string, unknown>>;

function isPlain(field: DescField): boolean {
  if (field.fieldKind === "map" && field.mapKey === ScalarType.STRING) return false;
  return field.message === undefined && field.scalar !== ScalarType.STRING;
}

function inField<T>(field: DescField, value: unknown, search: Search<T>): SearchResult<T> | undefined {
  const item = (each: unknown) => inItem(field, each, search);
  if (field.fieldKind === "list") return inList(value as unknown[], item);
  if (field.fieldKind === "map") return inMap(value as Init, item, search);
  return item(value);
}

function inItem<T>(field: DescField, value: unknown, search: Search<T>): SearchResult<T> | undefined {
  const { message } = field;
  if (message === undefined || typeof value !== "object" || value === null) return inJson(value, search);
  if (isJsonField(field)) return inJson(value, search);
  const inner = searchMessage(message, value, search);
  return inner === undefined || inner.path === "" ? inner : at(".", inner);
}

function inJson<T>(value: unknown, search: Search<T>): SearchResult<T> | undefined {
  const found = typeof value === "string" ? search.text(value) : search.json?.(value);
  if (found !== undefined) return { path: "", found };
  const item = (each: unknown) => inJson(each, search);
  if (Array.isArray(value)) return inList(value, item);
  return typeof value === "object" && value !== null ? inMap(value as Init, item, search) : undefined;
}

function inList<T>(
  list: readonly unknown[],
  inItem: (item: unknown) => SearchResult<T> | undefined,
): SearchResult<T> | undefined {
  for (const [index, item] of list.entries()) {
    const inner = inItem(item);
    if (inner !== undefined) return at(`[${index}]`, inner);
  }
  return undefined;
}

function inMap<T>(
  map: Init,
  inItem: (item: unknown) => SearchResult<T> | undefined,
  search: Search<T>,
): SearchResult<T> | undefined {
  for (const key of Object.keys(map)) {
    const found = search.text(key);
    const inner = found === undefined ? inItem(map[key]) : { path: "", found };
    // Escapes control characters and quotes in the key.
    if (inner !== undefined) return at(`[${JSON.stringify(key)}]`, inner);
  }
  return undefined;
}

function at<T>(place: string, { path, found }: SearchResult<T>): SearchResult<T> {
  return { path: place + path, found };
}
