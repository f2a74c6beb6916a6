import { create, type DescMessage, type JsonObject, type JsonValue, type Message } from "@bufbuild/protobuf";
import {
  AnySchema,
  DurationSchema,
  FieldMaskSchema,
  type ListValue,
  ListValueSchema,
  NullValue,
  type Struct,
  StructSchema,
  TimestampSchema,
  type Value,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import { codecOf } from "../known.js";
import { put } from "../message.js";
import { JsonFault, short } from "./fault.js";
import { parseDurationText, parseInstant } from "./instant.js";
import type { JsonReader } from "./json-reader.js";
import { Token } from "./json-text.js";

/** Reads one value; null only where the type has it. */
export type Read = (json: JsonReader) => unknown;

/** Reads the message in an Any into `into`, which is empty. */
export type ReadInto = (json: JsonReader, into: Message, ignored: string) => void;

export function readTimestamp(json: JsonReader): Message {
  return create(TimestampSchema, instantOf(json, "an instant in quotes", parseInstant));
}

export function readDuration(json: JsonReader): Message {
  return create(DurationSchema, instantOf(json, "a duration in quotes", parseDurationText));
}

function instantOf(json: JsonReader, wanted: string, parse: typeof parseInstant) {
  json.count();
  const text = json.quoted(wanted);
  const instant = parse(text);
  if (typeof instant === "string") throw new JsonFault(`${short(JSON.stringify(text))} ${instant}`);
  return instant;
}

/** Reads comma-separated paths in lowerCamelCase. */
export function readFieldMask(json: JsonReader): Message {
  json.count();
  const text = json.quoted("paths of fields in quotes");
  const paths = text === "" ? [] : text.split(",");
  json.count(paths.length);
  return create(FieldMaskSchema, {
    paths: paths.map((path) => {
      if (/^$|\s/.test(path) || (!json.protoPaths && path.includes("_"))) {
        throw new JsonFault(`${short(JSON.stringify(path))} is no path of a field mask: write it in lowerCamelCase`);
      }
      return snakeCase(path);
    }),
  });
}

function snakeCase(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Reads any JSON object, which is protobuf-es's representation of a Struct field. */
export function readJsonObject(json: JsonReader): JsonObject {
  json.open(Token.OBJECT, "an object");
  json.enter(0);
  const object: JsonObject = {};
  for (let isFirst = true; json.nextMember(isFirst); isFirst = false) {
    const key = newKey(json, object);
    try {
      json.count();
      json.enter(0);
      put(object, key, readJson(json));
      json.leave();
    } catch (error) {
      throw JsonFault.within(inBrackets(key), error);
    }
  }
  json.leave();
  return object;
}

function readJson(json: JsonReader): JsonValue {
  switch (json.peek()) {
    case Token.QUOTE:
      return json.string();
    case Token.OBJECT:
      return readJsonObject(json);
    case Token.ARRAY: {
      const list: JsonValue[] = [];
      eachElement(json, () => list.push(readJson(json)));
      return list;
    }
    case Token.TRUE:
      json.word("true");
      return true;
    case Token.FALSE:
      json.word("false");
      return false;
    case Token.NULL:
      json.word("null");
      return null;
    default:
      return finite(json);
  }
}

/** The cost of a list element in a Value: it is a message in a message. */
function eachElement(json: JsonReader, read: () => void): void {
  json.open(Token.ARRAY, "an array");
  json.enter(0);
  let index = 0;
  try {
    for (; json.nextElement(index === 0); index++) {
      json.enter(0);
      read();
      json.leave();
    }
  } catch (error) {
    throw JsonFault.within(`[${index}]`, error);
  }
  json.leave();
}

/** Reads a number in a Value, which unlike a double cannot be infinite. */
function finite(json: JsonReader): number {
  const text = json.number();
  const number = Number(text);
  if (!Number.isFinite(number)) throw new JsonFault(`${short(text)} is out of range for a double`);
  return number;
}

export function readStruct(json: JsonReader): Struct {
  json.open(Token.OBJECT, "an object");
  json.enter(0);
  const fields: { [key: string]: Value } = {};
  for (let isFirst = true; json.nextMember(isFirst); isFirst = false) {
    const key = newKey(json, fields);
    try {
      json.count();
      put(fields, key, readValue(json));
    } catch (error) {
      throw JsonFault.within(inBrackets(key), error);
    }
  }
  json.leave();
  const struct = create(StructSchema);
  struct.fields = fields;
  return struct;
}

export function readListValue(json: JsonReader): ListValue {
  const list = create(ListValueSchema);
  eachElement(json, () => list.values.push(makeValue(readKind(json))));
  return list;
}

export function readValue(json: JsonReader): Value {
  json.enter(0);
  const value = makeValue(readKind(json));
  json.leave();
  return value;
}

function makeValue(kind: Value["kind"]): Value {
  const value = create(ValueSchema);
  value.kind = kind;
  return value;
}

function readKind(json: JsonReader): Value["kind"] {
  switch (json.peek()) {
    case Token.QUOTE:
      return { case: "stringValue", value: json.string() };
    case Token.OBJECT:
      return { case: "structValue", value: readStruct(json) };
    case Token.ARRAY:
      return { case: "listValue", value: readListValue(json) };
    case Token.TRUE:
      json.word("true");
      return { case: "boolValue", value: true };
    case Token.FALSE:
      json.word("false");
      return { case: "boolValue", value: false };
    case Token.NULL:
      json.word("null");
      return { case: "nullValue", value: NullValue.NULL_VALUE };
    default:
      return { case: "numberValue", value: finite(json) };
  }
}

/** Throws if an object or a map has this key already. */
function newKey(json: JsonReader, object: object): string {
  const key = json.key();
  if (Object.hasOwn(object, key)) throw new JsonFault(`the key ${short(JSON.stringify(key))} is there twice`);
  return key;
}

/** Returns a map key as part of a path. */
export function inBrackets(key: string): string {
  return `[${short(JSON.stringify(key), 40)}]`;
}

/**
 * Reads a message of the type that `@type` names; that member may be at any position.
 *
 * @param special returns the reader of a type with a JSON form of its own, or undefined
 * @param readFields reads the fields of any other type
 */
export function readAny(
  json: JsonReader,
  special: (schema: DescMessage) => Read | undefined,
  readFields: (json: JsonReader, schema: DescMessage) => Message,
): Message {
  if (json.peek() !== Token.OBJECT) throw json.misfit("an object");
  json.enter(0);
  const start = json.at;
  json.at++;
  const typeUrl = json.findMember("@type");
  if (typeUrl === undefined) {
    if (json.nextMember(true)) throw new JsonFault(`has no "@type", which says what it is`);
    json.leave();
    return create(AnySchema);
  }
  const slash = typeUrl.lastIndexOf("/");
  const schema = slash < 0 ? undefined : json.registry?.getMessage(typeUrl.slice(slash + 1));
  if (schema === undefined) {
    throw new JsonFault(
      `${short(JSON.stringify(typeUrl), 200)} is no type that is known here: write "type.googleapis.com/" and its full name`,
    );
  }
  const read = special(schema);
  let message: Message;
  if (read === undefined) {
    json.at = start;
    message = readFields(json, schema);
  } else message = readHeld(json, read) as Message;
  json.leave();
  return create(AnySchema, { typeUrl, value: new Uint8Array(codecOf(schema).toBytes(message)) });
}

/** Reads the member `value` beside `@type`. */
function readHeld(json: JsonReader, read: Read): unknown {
  let value: unknown;
  const seen = new Set<string>();
  for (let isFirst = true; json.nextMember(isFirst); isFirst = false) {
    const key = json.key();
    if (seen.has(key)) throw new JsonFault(`the key ${short(JSON.stringify(key))} is there twice`);
    seen.add(key);
    if (key === "value") value = read(json);
    else if (key === "@type" || json.ignoreUnknown) json.skip();
    else throw new JsonFault(`has no field ${short(JSON.stringify(key))}: it is written as its "value"`);
  }
  if (value === undefined) throw new JsonFault(`has no "value"`);
  return value;
}
