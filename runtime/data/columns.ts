import {
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import { type Duration, StructSchema, type Timestamp } from "@bufbuild/protobuf/wkt";
import { type AnyPgColumn, customType, foreignKey } from "drizzle-orm/pg-core";
import { createMessage } from "../codec/create.js";
import { put } from "../codec/message.js";
import { formatDuration, parseDuration } from "./duration.js";
import { formatTimestamp, parseTimestamp } from "./timestamp.js";
import { UnkeepableError } from "./unkeepable-error.js";

/**
 * Drizzle columns for what Protobuf has and Drizzle's own columns do not keep exactly. What is written comes back
 * equal.
 */

/** An instant. Microseconds are kept, as PostgreSQL keeps them; what is finer is cut off. */
export const timestamptz = customType<{ data: Timestamp; driverData: string }>({
  // The name that the database itself answers with, for tools that compare.
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

/** `float`. PostgreSQL answers the shortest decimals that name a float32; Protobuf holds the float32 itself. */
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

/** `uint64` and `fixed64`, which no integer of PostgreSQL holds. */
export const uint64 = customType<{ data: bigint; driverData: string }>({
  dataType: () => "numeric",
  toDriver: String,
  fromDriver: BigInt,
});

/** `google.protobuf.Duration`, in nanoseconds: the whole range fits, and longer is more. */
export const duration = customType<{ data: Duration; driverData: string }>({
  dataType: () => "numeric",
  toDriver: formatDuration,
  fromDriver: parseDuration,
});

/** `google.protobuf.Struct`, which TypeScript holds as JSON. */
export function struct(name: string) {
  return jsonb<JsonObject>(
    name,
    (value) => {
      // Refuses what a Struct cannot hold. It is JSON already, and protobuf-es loses a key called __proto__.
      toJson(StructSchema, fromJson(StructSchema, value));
      return value;
    },
    (json) => json as JsonObject,
  );
}

/** A foreign key of one column. `to` is asked when both tables are there. */
export function reference(name: string, column: AnyPgColumn, to: () => AnyPgColumn) {
  return foreignKey({ name, columns: [column], foreignColumns: [to()] });
}

/** One message, as JSON. */
export function messageColumn<D extends DescMessage>(name: string, schema: D) {
  return jsonb<MessageShape<D>>(
    name,
    (message) => toJson(schema, message, written),
    (json) => fromJson(schema, json, read),
  );
}

/** A list of messages, as a JSON array. */
export function messagesColumn<D extends DescMessage>(name: string, schema: D) {
  return jsonb<MessageShape<D>[]>(
    name,
    (messages) => messages.map((message) => toJson(schema, message, written)),
    (json) => (json as JsonValue[]).map((element) => fromJson(schema, element, read)),
  );
}

/** What a field holds, a list or a map for example, as the JSON that it has in its message. */
export function jsonColumn<D extends DescMessage, F extends keyof MessageShape<D> & string>(
  name: string,
  schema: D,
  localName: F,
) {
  const field = schema.field[localName];
  if (field === undefined) throw new Error(`${schema.typeName} has no field ${localName}`);
  type Held = NonNullable<MessageShape<D>[F]>;
  const encode = (value: Held): JsonValue => {
    const message = createMessage(schema, { [localName]: value } as MessageInitShape<D>);
    const json = toJson(schema, message, written) as JsonObject;
    // ProtoJSON leaves out what is empty.
    const empty = field.fieldKind === "map" ? {} : [];
    return Object.hasOwn(json, field.jsonName) ? (json[field.jsonName] ?? empty) : empty;
  };
  const decode = (json: JsonValue): Held =>
    (fromJson(schema, { [field.jsonName]: json }, read) as MessageShape<D>)[localName] as Held;
  if (field.fieldKind !== "map" || field.mapKey !== ScalarType.STRING) return jsonb<Held>(name, encode, decode);
  return jsonb<Held>(name, keepingProto(encode), keepingProto(decode));
}

/** Has a conversion of maps keep an entry called __proto__, which protobuf-es loses: it goes through under another name. */
function keepingProto<A, B>(convert: (map: A) => B): (map: A) => B {
  return (map) => {
    if (!Object.hasOwn(map as object, "__proto__")) return convert(map);
    const entries = Object.entries(map as object);
    const others = Object.fromEntries(entries.filter(([key]) => key !== "__proto__")) as A;
    const [, entry] = entries.find(([key]) => key === "__proto__")!;
    const converted = convert(others);
    const [value] = Object.values(convert({ entry } as A) as object);
    put(converted as Record<string, unknown>, "__proto__", value);
    return converted;
  };
}

// Enum values as numbers, so that they can be renamed.
const written = { enumAsInteger: true };
// A newer process may have written fields that this one does not know.
const read = { ignoreUnknownFields: true };

function jsonb<T>(name: string, encode: (value: T) => JsonValue, decode: (json: JsonValue) => T) {
  return customType<{ data: T; driverData: JsonValue }>({
    dataType: () => "jsonb",
    // As text: the driver would send an array as PostgreSQL's own array.
    toDriver: (value) => {
      try {
        return JSON.stringify(encode(value));
      } catch (error) {
        throw new UnkeepableError("a value has no JSON", { cause: error });
      }
    },
    fromDriver: decode,
  })(name);
}

/** JavaScript prints -0 as "0", which an implicit field takes as not set. */
function signedZero(value: number): number | string {
  return Object.is(value, -0) ? "-0" : value;
}
