import {
  create,
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescMessage,
  type DescOneof,
  type ExtensionValueShape,
  type Message,
  type MessageShape,
  ScalarType,
  setExtension,
} from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { isJsonField } from "../field.js";
import { put } from "../message.js";
import { base64Bytes } from "./base64.js";
import { JsonFault, short } from "./fault.js";
import { JsonReader, type JsonReadOptions } from "./json-reader.js";
import { Token } from "./json-text.js";
import { fraction, ranges, wholeNumber } from "./number.js";
import {
  inBrackets,
  type Read,
  readAny,
  readDuration,
  readFieldMask,
  readJsonObject,
  readListValue,
  readStruct,
  readTimestamp,
  readValue,
} from "./well-known.js";

/**
 * Reads ProtoJSON (https://protobuf.dev/programming-guides/json/) by a message's descriptor, strictly by the specification: integers
 * are exact, and invalid values and duplicate fields are refused. Nesting and the number of values are checked before allocation.
 */

/**
 * Reads a message from ProtoJSON.
 *
 * @throws JsonFault if the text is not such a message, with the field's path and the value found
 */
export function readJson<D extends DescMessage>(schema: D, text: string, options?: JsonReadOptions): MessageShape<D> {
  const json = new JsonReader(text, options);
  const message = readerOf(schema)(json);
  json.end();
  return message as MessageShape<D>;
}

/**
 * Reads one field of a message, or of a message inside it, from ProtoJSON. Lists, maps and messages are merged.
 *
 * @param path the field, preceded by the fields that contain it
 * @throws JsonFault as `readJson`, and if another field of the same oneof is already set
 */
export function mergeJsonField<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  path: readonly DescField[],
  text: string,
  options?: JsonReadOptions,
): void {
  const json = new JsonReader(text, options);
  mergeAt(json, schema, message as never, path);
  json.end();
}

function mergeAt(json: JsonReader, schema: DescMessage, message: Fields, [field, ...rest]: readonly DescField[]): void {
  try {
    if (rest.length === 0) readField(json, planOf(schema).byName.get(field!.name)!, message);
    else mergeAt(json, field!.message!, into(message, field!), rest);
  } catch (error) {
    throw JsonFault.within(field!.name, error);
  }
}

/** Returns the message in a field, for merging. */
function into(message: Fields, field: DescField): Fields {
  const schema = field.message!;
  if (specialReader(schema) !== undefined) throw new JsonFault("is one value, whose parts cannot be set alone");
  const { oneof, localName } = field;
  if (oneof === undefined) {
    if (!Object.hasOwn(message, localName) || message[localName] === undefined) message[localName] = create(schema);
    return message[localName] as Fields;
  }
  const held = heldBy(message, oneof, localName) ?? create(schema);
  message[oneof.localName] = { case: localName, value: held };
  return held as Fields;
}

/** A message whose fields are set by their names in TypeScript. */
type Fields = Record<string, unknown>;

/** The reader of a field. */
interface FieldPlan {
  readonly field: DescField;
  /** The field's index in its message. */
  readonly index: number;
  /** Whether null is a value of the field. */
  readonly takesNull: boolean;
  /** Reads the field's value, which is null only if `null` is a value of it; `before` is the current value. */
  readonly read: (json: JsonReader, before: unknown) => unknown;
}

interface MessagePlan {
  /** By proto name and by JSON name. */
  readonly byName: ReadonlyMap<string, FieldPlan>;
  /** The number of fields that a new message initializes. */
  readonly filled: number;
}

const plans = new WeakMap<DescMessage, MessagePlan>();

function planOf(schema: DescMessage): MessagePlan {
  let plan = plans.get(schema);
  if (plan === undefined) {
    const byName = new Map<string, FieldPlan>();
    const fields = schema.fields.map((field, index) => planField(field, index));
    for (const each of fields) byName.set(each.field.jsonName, each);
    // If two fields claim one name, the one whose name in the contract it is wins.
    for (const each of fields) byName.set(each.field.name, each);
    const filled = schema.members.filter((member) => member.kind === "oneof" || member.presence === IMPLICIT).length;
    plan = { byName, filled };
    plans.set(schema, plan);
  }
  return plan;
}

// google.protobuf.FeatureSet.FieldPresence
const IMPLICIT = 2;

/** Stands for an unknown enum name that is skipped. */
const passedOver = Symbol();

/** The readers of top-level messages. */
function readerOf(schema: DescMessage): Read {
  return specialReader(schema) ?? ((json) => readFields(json, schema, create(schema)));
}

/** The readers of types with a JSON form of their own. */
function specialReader(schema: DescMessage): Read | undefined {
  const { typeName } = schema;
  if (!typeName.startsWith("google.protobuf.")) return undefined;
  if (isWrapperDesc(schema)) {
    const read = scalarReader(schema.fields[0]!);
    return (json) => {
      json.count();
      const wrapper = create(schema) as Message & Fields;
      if (!json.takeNull()) wrapper.value = read(json);
      return wrapper;
    };
  }
  return special[typeName];
}

const special: Readonly<Record<string, Read>> = {
  "google.protobuf.Any": (json) =>
    readAny(json, specialReader, (held, schema) => readFields(held, schema, create(schema), "@type")),
  "google.protobuf.Timestamp": readTimestamp,
  "google.protobuf.Duration": readDuration,
  "google.protobuf.FieldMask": readFieldMask,
  "google.protobuf.Struct": readStruct,
  "google.protobuf.Value": readValue,
  "google.protobuf.ListValue": readListValue,
};

/** Reads an object's members into a message. `ignored` is the name of a member that is not a field. */
function readFields<M extends Message>(json: JsonReader, schema: DescMessage, message: M, ignored?: string): M {
  const { byName, filled } = planOf(schema);
  json.open(Token.OBJECT, "an object");
  json.enter(filled);
  let seen: Set<unknown> | undefined;
  let seenBits = 0;
  for (let isFirst = true; json.nextMember(isFirst); isFirst = false) {
    const key = json.key();
    const plan = byName.get(key);
    if (plan === undefined) {
      seen ??= new Set();
      if (seen.has(key)) throw new JsonFault(`the key ${short(JSON.stringify(key))} is there twice`);
      seen.add(key);
      readUnknown(json, schema, message, key, key === ignored);
      continue;
    }
    const { index, field } = plan;
    const bit = index < 31 ? 1 << index : 0;
    if (bit === 0 ? seen?.has(index) : seenBits & bit) {
      throw JsonFault.within(field.name, new JsonFault(`is given twice${key === field.name ? "" : `, as ${key} too`}`));
    }
    if (bit !== 0) seenBits |= bit;
    else {
      seen ??= new Set();
      seen.add(index);
    }
    try {
      readField(json, plan, message as never);
    } catch (error) {
      throw JsonFault.within(field.name, error);
    }
  }
  json.leave();
  return message;
}

function readField(json: JsonReader, { field, takesNull, read }: FieldPlan, message: Fields): void {
  if (!takesNull && json.takeNull()) return;
  const { oneof, localName } = field;
  if (oneof === undefined) {
    // A property of Object.prototype is not a field's value.
    const value = read(json, Object.hasOwn(message, localName) ? message[localName] : undefined);
    if (value !== passedOver) message[localName] = value;
    return;
  }
  const value = read(json, heldBy(message, oneof, localName));
  if (value !== passedOver) message[oneof.localName] = { case: localName, value };
}

/** Returns a oneof's value if this field is the one that is set. */
function heldBy(message: Fields, oneof: DescOneof, localName: string): unknown {
  const { case: set, value } = message[oneof.localName] as { case?: string; value?: unknown };
  if (set === undefined || set === localName) return value;
  const other = oneof.fields.find((field) => field.localName === set)!;
  throw new JsonFault(
    `cannot be given beside ${other.name}: they are the oneof ${oneof.name}, which holds one of them`,
  );
}

function readUnknown(json: JsonReader, schema: DescMessage, message: Message, key: string, isIgnored: boolean): void {
  json.count();
  if (isIgnored) {
    json.skip();
    return;
  }
  const extension = key.startsWith("[") ? json.registry?.getExtension(key.slice(1, -1)) : undefined;
  if (extension !== undefined && extension.extendee.typeName === schema.typeName && key === extension.jsonName) {
    try {
      readExtension(json, extension, message);
    } catch (error) {
      throw JsonFault.within(key, error);
    }
  } else if (json.ignoreUnknown) json.skip();
  else throw new JsonFault(`there is no field ${short(JSON.stringify(key))} in ${schema.typeName}`);
}

function readExtension(json: JsonReader, extension: DescExtension, message: Message): void {
  // An extension is read like a field.
  const field = { ...extension, kind: "field", parent: extension.extendee, localName: extension.typeName };
  const { takesNull, read } = planField(field as unknown as DescField, 0);
  if (!takesNull && json.takeNull()) return;
  const none = { list: [], map: {} } as Record<string, unknown>;
  const value = read(json, none[extension.fieldKind]);
  if (value !== passedOver) setExtension(message, extension, value as ExtensionValueShape<DescExtension>);
}

function planField(field: DescField, index: number): FieldPlan {
  const isSingular = field.fieldKind !== "list" && field.fieldKind !== "map";
  const takesNull = isSingular && hasNull(field);
  return { field, index, takesNull, read: fieldReader(field) };
}

/** Returns whether null is a value of this type, instead of standing for an unset field. */
function hasNull({ message, enum: desc }: DescField): boolean {
  return message?.typeName === "google.protobuf.Value" || desc?.typeName === "google.protobuf.NullValue";
}

function fieldReader(field: DescField): FieldPlan["read"] {
  switch (field.fieldKind) {
    case "list":
      return listReader(field);
    case "map":
      return mapReader(field);
    case "message": {
      const { message: schema } = field;
      // Outside of a oneof, protobuf-es represents a wrapper as the wrapped value.
      if (isWrapperDesc(schema) && field.oneof === undefined) return scalarReader(schema.fields[0]);
      const read = messageReader(field, schema);
      if (read !== undefined) return read;
      return (json, before) => readFields(json, schema, (before as Message | undefined) ?? create(schema));
    }
    default:
      return itemReader(field);
  }
}

/** The readers of messages in a field that have a JSON form of their own. */
function messageReader(field: DescField, schema: DescMessage): Read | undefined {
  // In a field, protobuf-es represents a Struct as JSON.
  return isJsonField(field) ? readJsonObject : specialReader(schema);
}

/** Returns the reader of a list element, a map's value, or a singular field. */
function itemReader(field: DescField): Read {
  if (field.message !== undefined) {
    const { message: schema } = field;
    return messageReader(field, schema) ?? ((json) => readFields(json, schema, create(schema)));
  }
  return field.enum === undefined ? scalarReader(field) : enumReader(field.enum);
}

function listReader(field: DescField): FieldPlan["read"] {
  const read = itemReader(field);
  const takesNull = hasNull(field);
  return (json, before) => {
    const list = (before as unknown[] | undefined) ?? [];
    json.open(Token.ARRAY, "an array");
    let index = 0;
    try {
      for (; json.nextElement(index === 0); index++) {
        if (!takesNull && json.peek() === Token.NULL) throw new JsonFault("null cannot be an element of a list");
        const value = read(json);
        if (value !== passedOver) list.push(value);
      }
    } catch (error) {
      throw JsonFault.within(`[${index}]`, error);
    }
    return list;
  };
}

function mapReader(field: DescField & { fieldKind: "map" }): FieldPlan["read"] {
  const read = itemReader(field);
  const takesNull = hasNull(field);
  const range = ranges[field.mapKey];
  return (json, before) => {
    const map = (before as Record<string, unknown> | undefined) ?? {};
    json.open(Token.OBJECT, "an object");
    let passed: Set<string> | undefined;
    for (let isFirst = true; json.nextMember(isFirst); isFirst = false) {
      const written = json.key();
      try {
        json.count(ENTRY);
        const key = range === undefined ? written : String(entryKey(written, range));
        if (field.mapKey === ScalarType.BOOL && key !== "true" && key !== "false") {
          throw new JsonFault("is no key of this map: true and false are");
        }
        if (Object.hasOwn(map, key) || passed?.has(key)) throw new JsonFault("is there twice");
        if (!takesNull && json.peek() === Token.NULL) throw new JsonFault("null cannot be the value of an entry");
        const value = read(json);
        if (value === passedOver) {
          passed ??= new Set();
          passed.add(key);
        } else put(map, key, value);
      } catch (error) {
        throw JsonFault.within(inBrackets(written), error);
      }
    }
    return map;
  };
}

function entryKey(written: string, range: NonNullable<(typeof ranges)[ScalarType]>): number | bigint {
  const key = wholeNumber(written, range);
  if (typeof key === "string") throw new JsonFault(`the key ${key}`);
  return key;
}

function enumReader(desc: DescEnum): Read {
  const numbers = new Map(desc.values.map(({ name, number }) => [name, number]));
  const range = ranges[ScalarType.INT32]!;
  const isNull = desc.typeName === "google.protobuf.NullValue";
  return (json) => {
    const code = json.peek();
    if (code === Token.NULL && isNull) {
      json.word("null");
      return 0;
    }
    if (code === Token.QUOTE) {
      const name = json.string();
      const number = numbers.get(name);
      if (number !== undefined) return number;
      if (json.ignoreUnknown) return passedOver;
      throw new JsonFault(`${short(JSON.stringify(name))} is none of ${namesOf(desc)}`);
    }
    if (code !== 0x2d && !(code >= 0x30 && code <= 0x39)) throw json.misfit(`one of ${namesOf(desc)}`);
    const text = json.number();
    const number = wholeNumber(text, range);
    if (typeof number === "string") throw new JsonFault(`${short(text)} ${number}`);
    if (!desc.open && !json.stored && desc.value[number as number] === undefined) {
      throw new JsonFault(`${short(text)} is the number of none of ${namesOf(desc)}`);
    }
    return number;
  };
}

function namesOf({ values }: DescEnum): string {
  const most = 20;
  const names = values.slice(0, most).map(({ name }) => name);
  return names.join(", ") + (values.length > most ? ` and ${values.length - most} more` : "");
}

/** The cost of a map entry relative to a message: it adds a property that no other object has. */
const ENTRY = 2;

/** The cost of a bigint relative to other counted values. */
const LONG = 0.25;

/** Returns a field's reader, or that of a wrapper's value. */
type ScalarField = { readonly scalar?: ScalarType | undefined; readonly longAsString?: boolean };

function scalarReader(field: ScalarField): Read {
  const { scalar } = field;
  switch (scalar) {
    case ScalarType.STRING:
      return (json) => json.quoted("a string");
    case ScalarType.BOOL:
      return readBool;
    case ScalarType.BYTES:
      return readBytes;
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE: {
      const isFloat = scalar === ScalarType.FLOAT;
      return (json) => readFraction(json, isFloat);
    }
  }
  const range = ranges[scalar!]!;
  const isText = field.longAsString === true;
  return (json) => {
    if (range.isWide) json.count(LONG);
    const isQuoted = json.peek() === Token.QUOTE;
    const digits = isText ? -1 : json.digits();
    // Every integer type holds these.
    if (digits >= 0) return range.isWide ? BigInt(digits) : digits;
    const text = json.numeral(`a whole number (${range.name})`);
    const number = wholeNumber(text, range);
    if (typeof number === "string") throw new JsonFault(`${short(isQuoted ? JSON.stringify(text) : text)} ${number}`);
    return isText ? String(number) : number;
  };
}

function readBool(json: JsonReader): boolean {
  const code = json.peek();
  if (code !== Token.TRUE && code !== Token.FALSE) throw json.misfit("true or false");
  json.word(code === Token.TRUE ? "true" : "false");
  return code === Token.TRUE;
}

function readBytes(json: JsonReader): Uint8Array {
  json.count();
  const text = json.quoted("base64 in quotes");
  const bytes = base64Bytes(text);
  if (typeof bytes === "string") throw new JsonFault(`${short(JSON.stringify(text))} ${bytes}`);
  return bytes;
}

const words: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};

function readFraction(json: JsonReader, isFloat: boolean): number {
  const isQuoted = json.peek() === Token.QUOTE;
  const text = json.numeral(`a number (${isFloat ? "float" : "double"})`);
  if (isQuoted && Object.hasOwn(words, text)) return words[text]!;
  const number = fraction(text, isFloat);
  if (typeof number === "string") throw new JsonFault(`${short(isQuoted ? JSON.stringify(text) : text)} ${number}`);
  return number;
}
