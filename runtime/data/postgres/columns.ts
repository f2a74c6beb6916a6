import {
  create,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { type AnyPgColumn, customType, foreignKey } from "drizzle-orm/pg-core";
import { createMessage } from "../../codec/create.js";
import { mergeJsonField, readJson } from "../../codec/protojson/read.js";
import { jsonOf } from "../../codec/protojson/write.js";
import { formatDuration, parseDuration } from "./duration.js";
import { formatTimestamp, parseTimestamp } from "./timestamp.js";
import { UnkeepableError } from "./unkeepable-error.js";

/**
 * Drizzle columns for Protobuf types that Drizzle's own columns do not store exactly. Every value is read back equal.
 */

/** A timestamp in microseconds, PostgreSQL's precision; finer digits are truncated. */
export const timestamptz = customType<{ data: Timestamp; driverData: string }>({
  // The name in PostgreSQL's catalogs, for tools that compare.
  dataType: () => "timestamp with time zone",
  toDriver: formatTimestamp,
  fromDriver: parseTimestamp,
});

/** `bytes`. */
export const bytes = customType<{ data: Uint8Array; driverData: Buffer }>({
  dataType: () => "bytea",
  toDriver: (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength),
  fromDriver: (value) => new Uint8Array(value),
});

/** `float`. PostgreSQL returns the shortest decimal that identifies a float32; Protobuf has the float32 itself. */
export const float = customType<{ data: number; driverData: number | string }>({
  dataType: () => "real",
  toDriver: signedZero,
  fromDriver: (value) => Math.fround(Number(value)),
});

/** `double`. */
export const double = customType<{ data: number; driverData: number | string }>({
  dataType: () => "double precision",
  toDriver: signedZero,
  fromDriver: Number,
});

/** `uint64` and `fixed64`, which exceed PostgreSQL's integers. */
export const uint64 = customType<{ data: bigint; driverData: string }>({
  dataType: () => "numeric",
  toDriver: String,
  fromDriver: BigInt,
});

/** `google.protobuf.Duration` in nanoseconds: the whole range fits, and durations sort by length. */
export const duration = customType<{ data: Duration; driverData: string }>({
  dataType: () => "numeric",
  toDriver: formatDuration,
  fromDriver: parseDuration,
});

/** `google.protobuf.Struct`, which TypeScript represents as JSON. */
export function struct(name: string) {
  return jsonb<JsonObject>(
    name,
    (value) => {
      checkObject(value);
      return JSON.stringify(value);
    },
    (json) => json as JsonObject,
  );
}

/** A foreign key of one column. `to` is called when both tables exist. */
export function reference(name: string, column: AnyPgColumn, to: () => AnyPgColumn) {
  return foreignKey({ name, columns: [column], foreignColumns: [to()] });
}

/** Throws if a Struct cannot hold the value. */
function checkObject(value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("a Struct is an object");
  for (const each of Object.values(value)) checkJson(each);
}

function checkJson(value: unknown): void {
  if (Array.isArray(value)) for (const each of value) checkJson(each);
  else if (typeof value === "object" && value !== null) checkObject(value);
  else if (!(value === null || isPlain(value))) throw new TypeError(`${value} in a Struct is no JSON`);
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

/** One message as JSON. */
export function messageColumn<D extends DescMessage>(name: string, schema: D) {
  return jsonb<MessageShape<D>>(
    name,
    (message) => jsonOf(schema, message, written),
    (json) => readJson(schema, JSON.stringify(json), read),
  );
}

/** A list of messages as a JSON array. */
export function messagesColumn<D extends DescMessage>(name: string, schema: D) {
  return jsonb<MessageShape<D>[]>(
    name,
    (messages) => `[${messages.map((message) => jsonOf(schema, message, written)).join()}]`,
    (json) => (json as JsonValue[]).map((element) => readJson(schema, JSON.stringify(element), read)),
  );
}

/** A field's value, such as a list or a map, in the JSON form that it has in its message. */
export function jsonColumn<D extends DescMessage, F extends keyof MessageShape<D> & string>(
  name: string,
  schema: D,
  localName: F,
) {
  const field = schema.field[localName];
  if (field === undefined) throw new Error(`${schema.typeName} has no field ${localName}`);
  type Held = NonNullable<MessageShape<D>[F]>;
  // ProtoJSON omits empty lists and maps.
  const empty = { list: "[]", map: "{}" }[field.fieldKind as string];
  return jsonb<Held>(
    name,
    (value) => {
      const message = createMessage(schema, { [localName]: value } as MessageInitShape<D>);
      const text = jsonOf(schema, message, written, field);
      return text === "null" && empty !== undefined ? empty : text;
    },
    (json) => {
      const message = create(schema);
      mergeJsonField(schema, message, [field], JSON.stringify(json), read);
      return message[localName] as Held;
    },
  );
}

const written = { stored: true };
// A newer version of the service may have written fields that this one does not know.
const read = { stored: true, ignoreUnknownFields: true };

/** @param encode returns JSON as text: the driver would send a JavaScript array as a PostgreSQL array */
function jsonb<T>(name: string, encode: (value: T) => string, decode: (json: JsonValue) => T) {
  return customType<{ data: T; driverData: JsonValue }>({
    dataType: () => "jsonb",
    toDriver: (value) => {
      try {
        return encode(value);
      } catch (error) {
        throw new UnkeepableError("a value has no JSON", { cause: error });
      }
    },
    fromDriver: decode,
  })(name);
}

/** JavaScript prints -0 as "0", which a field with implicit presence would take as unset. */
function signedZero(value: number): number | string {
  return Object.is(value, -0) ? "-0" : value;
}
