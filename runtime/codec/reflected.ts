import { create, type DescField, type DescMessage, type MessageShape, ScalarType } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { type Codec, defineCodec, type Init } from "./codec.js";
import { isInherited } from "./create.js";
import { isJsonField } from "./field.js";
import { readJsonObject, writeJsonObject } from "./json.js";
import { boolKey, entries, has, isZero, knows, numberKey, own, put } from "./message.js";
import type { Reader } from "./reader.js";
import type { Writer } from "./writer.js";

/** Writes a message without a generated codec. */
export function writeReflected<D extends DescMessage>(writer: Writer, schema: D, message: Init<D>): void {
  writeFields(writer, schema, message as Fields);
}

/** Reads a message without a generated codec, by its descriptor, merging the fields into an existing one. */
export function readReflected<D extends DescMessage>(
  reader: Reader,
  schema: D,
  end: number,
  message: MessageShape<D> = create(schema),
): MessageShape<D> {
  readFields(reader, schema, end, message as never);
  return message;
}

/** A codec by reflection: it does with the message's descriptor what a generated codec does. */
export function reflectedCodec<D extends DescMessage>(schema: D): Codec<D> {
  return defineCodec(
    schema,
    (writer, message) => writeReflected(writer, schema, message),
    (reader, end, before) => readReflected(reader, schema, end, before),
  );
}

/** A message of any type. */
type Fields = Record<string, unknown> & { readonly $typeName: string };

/** Writes a field with its tag, if it is set. */
type WriteField = (writer: Writer, message: Fields) => void;
/** Reads a field whose tag has been read. */
type ReadField = (reader: Reader, message: Fields, tag: number) => void;
/** Writes one value with its tag: a singular field, a list element, or part of a map entry. */
type WriteValue = (writer: Writer, value: unknown) => void;
/** Reads one value, merging into an existing message. */
type ReadValue = (reader: Reader, before?: unknown) => unknown;

interface Plan {
  /** In order of field number. */
  readonly writes: readonly WriteField[];
  /** By tag. A list of numbers has two tags, packed and unpacked. */
  readonly reads: ReadonlyMap<number, ReadField>;
}

const plans = new WeakMap<DescMessage, Plan>();

function planOf(schema: DescMessage): Plan {
  let plan = plans.get(schema);
  if (plan === undefined) {
    const fields = schema.fields.toSorted((a, b) => a.number - b.number);
    plan = { writes: fields.map(fieldWriter), reads: new Map(fields.flatMap(fieldReaders)) };
    plans.set(schema, plan);
  }
  return plan;
}

function writeFields(writer: Writer, schema: DescMessage, message: Fields): void {
  for (const write of planOf(schema).writes) write(writer, message);
  writer.unknown(message, schema.typeName);
}

function readFields(reader: Reader, schema: DescMessage, end: number, message: Fields): void {
  const { reads } = planOf(schema);
  reader.enter();
  for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
    const read = reads.get(tag);
    if (read === undefined) reader.unknown(tag, message);
    else read(reader, message, tag);
  }
  reader.leave();
}

// -------------------------------------------------------------------------------------------------------------- writing

function fieldWriter(field: DescField): WriteField {
  const { localName: name, oneof, presence } = field;
  switch (field.fieldKind) {
    case "list":
      return listWriter(field);
    case "map":
      return mapWriter(field);
  }
  const write = valueWriter(field);
  if (oneof !== undefined) {
    return (writer, message) => {
      const choice = message[oneof.localName] as { case?: string; value?: unknown } | null | undefined;
      if (choice?.case === name) write(writer, choice.value);
    };
  }
  if (presence === IMPLICIT) {
    const isSet = isNotZero(field);
    return (writer, message) => {
      const value = ownValue(message, name);
      if (isSet(value)) write(writer, value);
    };
  }
  // An unset field may inherit its default from the prototype.
  const isSet = field.fieldKind === "message" ? (message: Fields) => ownValue(message, name) != null : hasOwn;
  const isRequired = presence === REQUIRED;
  return (writer, message) => {
    if (isSet(message, name)) write(writer, message[name]);
    else if (isRequired) writer.missing(`${field.parent.typeName}.${field.name}`);
  };
}

function hasOwn(message: Fields, name: string): boolean {
  return has<Record<string, unknown>>(message, name);
}

/** Returns a message's property; for a name of Object.prototype only the message's own. */
function ownValue(message: Fields, name: string): unknown {
  return isInherited(name) ? own(message, name) : message[name];
}

function isNotZero(field: DescField): (value: unknown) => boolean {
  if (field.enum !== undefined) {
    const zero = field.enum.values[0]?.number;
    return (value) => value != null && value !== zero;
  }
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BOOL:
      return Boolean;
    case ScalarType.BYTES:
      return (value) => Boolean((value as Uint8Array | undefined)?.length);
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      // -0 is not the default: its bits are not zero.
      return (value) => value != null && !Object.is(value, 0);
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
    case ScalarType.SINT64:
      return isText(field) ? (value) => value != null && !isZero(value as string) : Boolean;
    default:
      return (value) => value != null && value !== 0;
  }
}

function valueWriter(field: DescField, number = field.number): WriteValue {
  if (field.message === undefined) {
    const wireType = wireTypeOf(field);
    const write = scalarWriter(field.scalar);
    return (writer, value) => write(writer.tag(number, wireType), value);
  }
  const { message } = field;
  const write: WriteValue = isWrapped(field)
    ? (writer, value) => writeFields(writer, message, { $typeName: "", value })
    : isJsonField(field)
      ? (writer, value) => writeJsonObject(writer, value as never)
      : (writer, value) => writeFields(writer, message, value as Fields);
  if (wireTypeOf(field) === GROUP) {
    return (writer, value) => {
      write(writer.tag(number, GROUP), value);
      writer.tag(number, END_GROUP);
    };
  }
  // The value is the wrapped scalar, not a message.
  const mustBeObject = !isWrapped(field);
  return (writer, value) => {
    const start = mustBeObject ? writer.open(number, value) : writer.open(number);
    write(writer, value);
    writer.close(start);
  };
}

function scalarWriter(type = ScalarType.INT32): WriteValue {
  const method = methods[type];
  return (writer, value) => writer[method](value as never);
}

function listWriter(field: DescField & { fieldKind: "list" }): WriteField {
  const { localName: name, number } = field;
  if (!field.packed) {
    const write = valueWriter(field);
    return (writer, message) => {
      for (const each of (ownValue(message, name) as unknown[] | undefined) ?? []) write(writer, each);
    };
  }
  const write = scalarWriter(field.scalar);
  return (writer, message) => {
    const list = ownValue(message, name) as unknown[] | undefined;
    if (!list?.length) return;
    const start = writer.open(number);
    for (const each of list) write(writer, each);
    writer.close(start);
  };
}

function mapWriter(field: DescField & { fieldKind: "map" }): WriteField {
  const { localName: name, number, mapKey } = field;
  const writeKey = scalarWriter(mapKey);
  const writeValue = valueWriter(field, 2);
  const keyType = wireTypes[mapKey];
  // 64-bit keys are kept as strings.
  const keyOf = mapKey === ScalarType.BOOL ? boolKey : isNarrow(mapKey) ? numberKey : (key: string) => key;
  return (writer, message) => {
    for (const [key, value] of entries(ownValue(message, name) as Record<string, unknown> | undefined)) {
      const start = writer.open(number);
      writeKey(writer.tag(1, keyType), keyOf(key));
      writeValue(writer, value);
      writer.close(start);
    }
  };
}

// -------------------------------------------------------------------------------------------------------------- reading

function fieldReaders(field: DescField): [tag: number, ReadField][] {
  const { localName: name, number, oneof } = field;
  const wireType = field.fieldKind === "map" ? LENGTH : wireTypeOf(field);
  const read = field.fieldKind === "map" ? undefined : valueReader(field);
  if (read === undefined) return [[tagOf(number, wireType), mapReader(field as DescField & { fieldKind: "map" })]];
  if (field.fieldKind === "list") {
    const one: ReadField = (reader, message) => void (message[name] as unknown[]).push(read(reader));
    if (wireType === LENGTH || wireType === GROUP) return [[tagOf(number, wireType), one]];
    const packed: ReadField = (reader, message) => {
      const list = message[name] as unknown[];
      for (const stop = reader.length(); reader.more(stop); ) list.push(read(reader));
    };
    return [
      [tagOf(number, wireType), one],
      [tagOf(number, LENGTH), packed],
    ];
  }
  const closed = field.enum?.open === false ? field.enum : undefined;
  return [
    [
      tagOf(number, wireType),
      (reader, message, tag) => {
        const before = field.message === undefined ? undefined : heldBy(message, field);
        const value = read(reader, before);
        if (closed !== undefined && !knows(closed, value as number)) reader.unknownEnum(tag, message);
        else if (oneof === undefined) message[name] = value;
        else message[oneof.localName] = { case: name, value };
      },
    ],
  ];
}

/** Returns the value of a singular field, or undefined if it is not set. */
function heldBy(message: Fields, { localName: name, oneof }: DescField): unknown {
  if (oneof === undefined) return ownValue(message, name);
  const choice = message[oneof.localName] as { case?: string; value?: unknown };
  return choice.case === name ? choice.value : undefined;
}

function valueReader(field: DescField): ReadValue {
  const { message: schema } = field;
  if (schema === undefined) {
    const method = field.scalar === ScalarType.STRING ? stringMethod(field) : methods[field.scalar ?? ScalarType.INT32];
    return isText(field) ? (reader) => String(reader[method]()) : (reader) => reader[method]();
  }
  const endOf = wireTypeOf(field) === GROUP ? () => -field.number : (reader: Reader) => reader.length();
  if (isJsonField(field)) return (reader, before) => readJsonObject(reader, endOf(reader), before as never);
  const isHeld = isWrapped(field);
  return (reader, before) => {
    const end = endOf(reader);
    const message = ((isHeld ? undefined : before) ?? create(schema)) as Fields;
    if (isHeld && before !== undefined) message.value = before;
    readFields(reader, schema, end, message);
    return isHeld ? message.value : message;
  };
}

function stringMethod({ utf8Validation }: DescField) {
  return utf8Validation ? "string" : "anyString";
}

function mapReader(field: DescField & { fieldKind: "map" }): ReadField {
  const { localName: name, mapKey } = field;
  const keyTag = tagOf(1, wireTypes[mapKey]);
  const valueTag = tagOf(2, wireTypeOf(field));
  const readValue = valueReader(field);
  const keyMethod = mapKey === ScalarType.STRING ? stringMethod(field) : methods[mapKey];
  const noKey = mapKey === ScalarType.STRING ? "" : mapKey === ScalarType.BOOL ? "false" : "0";
  const empty = emptyValue(field);
  return (reader, message) => {
    const stop = reader.entry();
    let key = noKey;
    let value: unknown;
    for (let entry = reader.tag(stop); entry !== 0; entry = reader.tag(stop)) {
      // A property name is a string, whatever the key's type.
      if (entry === keyTag) key = String(reader[keyMethod]());
      else if (entry === valueTag) value = readValue(reader, value);
      else reader.skip(entry);
    }
    put(message[name] as Record<string, unknown>, key, value ?? empty());
  };
}

/** Returns a function that makes the default for a map entry without a value. */
function emptyValue(field: DescField & { fieldKind: "map" }): () => unknown {
  const { message } = field;
  if (message !== undefined) return isJsonField(field) ? () => ({}) : () => create(message);
  if (field.enum !== undefined) return () => field.enum!.values[0]!.number;
  const { scalar } = field;
  switch (scalar) {
    case ScalarType.STRING:
      return () => "";
    case ScalarType.BOOL:
      return () => false;
    case ScalarType.BYTES:
      return () => new Uint8Array(0);
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
    case ScalarType.SINT64:
      return () => 0n;
    default:
      return () => 0;
  }
}

// --------------------------------------------------------------------------------------------------------------- fields

/** Returns whether protobuf-es represents the wrapper in this field as the wrapped value. */
function isWrapped({ fieldKind, message, oneof }: DescField): boolean {
  return fieldKind === "message" && message !== undefined && oneof === undefined && isWrapperDesc(message);
}

/** Returns whether a 64-bit field is a string in TypeScript. */
function isText(field: DescField): boolean {
  return "longAsString" in field && field.longAsString === true;
}

/** Returns whether map keys of this type are numbers in TypeScript. */
function isNarrow(type: ScalarType): boolean {
  switch (type) {
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return true;
    default:
      return false;
  }
}

/** Returns the wire type of one value: a list element, or a map's value. */
function wireTypeOf(field: DescField): number {
  if (field.message !== undefined) return "delimitedEncoding" in field && field.delimitedEncoding ? GROUP : LENGTH;
  return wireTypes[field.scalar ?? ScalarType.INT32];
}

function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}

/** Returns the functions that write and read a value. */
const methods = {
  [ScalarType.DOUBLE]: "double",
  [ScalarType.FLOAT]: "float",
  [ScalarType.INT64]: "int64",
  [ScalarType.UINT64]: "uint64",
  [ScalarType.INT32]: "int32",
  [ScalarType.FIXED64]: "fixed64",
  [ScalarType.FIXED32]: "fixed32",
  [ScalarType.BOOL]: "bool",
  [ScalarType.STRING]: "string",
  [ScalarType.BYTES]: "bytes",
  [ScalarType.UINT32]: "uint32",
  [ScalarType.SFIXED32]: "sfixed32",
  [ScalarType.SFIXED64]: "sfixed64",
  [ScalarType.SINT32]: "sint32",
  [ScalarType.SINT64]: "sint64",
} as const satisfies Record<ScalarType, keyof Reader & keyof Writer>;

const LENGTH = 2;
const GROUP = 3;
const END_GROUP = 4;

const wireTypes: Readonly<Record<ScalarType, number>> = {
  [ScalarType.DOUBLE]: 1,
  [ScalarType.FLOAT]: 5,
  [ScalarType.INT64]: 0,
  [ScalarType.UINT64]: 0,
  [ScalarType.INT32]: 0,
  [ScalarType.FIXED64]: 1,
  [ScalarType.FIXED32]: 5,
  [ScalarType.BOOL]: 0,
  [ScalarType.STRING]: LENGTH,
  [ScalarType.BYTES]: LENGTH,
  [ScalarType.UINT32]: 0,
  [ScalarType.SFIXED32]: 5,
  [ScalarType.SFIXED64]: 1,
  [ScalarType.SINT32]: 0,
  [ScalarType.SINT64]: 0,
};

// Numbers of google.protobuf.FeatureSet.FieldPresence.
const IMPLICIT = 2;
const REQUIRED = 3;
