import {
  create,
  type DescField,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect, scalarZeroValue } from "@bufbuild/protobuf/reflect";
import { type Codec, defineCodec, type Init } from "./codec.js";
import { createMessage } from "./create.js";
import { EncodeError } from "./encode-error.js";
import { LoneSurrogateError, loneSurrogateIn } from "./lone-surrogate.js";
import { knows } from "./message.js";
import type { Reader } from "./reader.js";
import type { Writer } from "./writer.js";

/** Writes a message that has no generated codec. */
export function writeReflected<D extends DescMessage>(writer: Writer, schema: D, message: Init<D>): void {
  if (loneSurrogateIn(schema, message) !== undefined) throw new LoneSurrogateError();
  let bytes: Uint8Array;
  try {
    bytes = toBinary(schema, createMessage(schema, message as MessageInitShape<D>));
  } catch (error) {
    throw new EncodeError((error as Error).message, { cause: error });
  }
  writer.raw(bytes);
}

/** Reads a message that has no generated codec, by its descriptor; one that was there already takes the fields. */
export function readReflected<D extends DescMessage>(
  reader: Reader,
  schema: D,
  end: number,
  message: MessageShape<D> = create(schema),
): MessageShape<D> {
  readFields(reader, reflect(schema, message, false), end);
  return message;
}

/** A codec that has nothing generated, and reads the message's descriptor each time. */
export function reflectedCodec<D extends DescMessage>(schema: D): Codec<D> {
  return defineCodec(
    schema,
    (writer, message) => writeReflected(writer, schema, message),
    (reader, end) => readReflected(reader, schema, end),
  );
}

type MessageField = DescField & { readonly message: DescMessage };

function readFields(reader: Reader, message: ReflectMessage, end: number): void {
  reader.enter();
  for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
    const field = message.findNumber(tag >>> 3);
    if (field === undefined || !isTagOf(field, tag & 7)) reader.unknown(tag, message.message);
    else readField(reader, message, field, tag);
  }
  reader.leave();
}

/** Whether a field's values have this wire type: those of a list may be packed or not. */
function isTagOf(field: DescField, wireType: number): boolean {
  if (field.fieldKind === "map") return wireType === LENGTH;
  return wireType === wireTypeOf(field) || (wireType === LENGTH && isPackable(field));
}

function isPackable(field: DescField): boolean {
  return field.fieldKind === "list" && wireTypeOf(field) !== LENGTH && wireTypeOf(field) !== GROUP;
}

/** The wire type of one value: of an element of a list, of the value of a map. */
function wireTypeOf(field: DescField): number {
  if (field.message !== undefined) return "delimitedEncoding" in field && field.delimitedEncoding ? GROUP : LENGTH;
  return wireTypes[field.scalar ?? ScalarType.INT32];
}

function readField(reader: Reader, message: ReflectMessage, field: DescField, tag: number): void {
  switch (field.fieldKind) {
    case "scalar":
      message.set(field, readScalar(reader, field.scalar, field));
      break;
    case "enum": {
      const value = reader.int32();
      if (field.enum.open || knows(field.enum, value)) message.set(field, value);
      else reader.unknownEnum(tag, message.message);
      break;
    }
    case "message":
      message.set(field, readMessage(reader, field, message.get(field)));
      break;
    case "list": {
      const list = message.get(field);
      if (!isPackable(field) || (tag & 7) !== LENGTH) list.add(readItem(reader, field));
      else for (const stop = reader.length(); reader.more(stop); ) list.add(readItem(reader, field));
      break;
    }
    case "map": {
      const stop = reader.entry();
      const keyTag = 8 | wireTypes[field.mapKey];
      const valueTag = 16 | wireTypeOf(field);
      let key: unknown;
      let value: unknown;
      for (let entry = reader.tag(stop); entry !== 0; entry = reader.tag(stop)) {
        if (entry === keyTag) key = readScalar(reader, field.mapKey, field);
        else if (entry === valueTag) value = readItem(reader, field, value as ReflectMessage | undefined);
        else reader.skip(entry);
      }
      // A property's name, whatever the key is.
      const name = (key ?? scalarZeroValue(field.mapKey, false)) as string;
      message.get(field).set(name, value ?? emptyItem(field));
      break;
    }
  }
}

/** An element of a list, or a map's value; a message from before takes the fields. */
function readItem(reader: Reader, field: DescField, before?: ReflectMessage): unknown {
  if (field.message !== undefined) return readMessage(reader, field as MessageField, before);
  return readScalar(reader, field.scalar ?? ScalarType.INT32, field);
}

function readMessage(reader: Reader, field: MessageField, into = reflect(field.message, undefined, false)) {
  const isGroup = "delimitedEncoding" in field && field.delimitedEncoding === true;
  readFields(reader, into, isGroup ? -field.number : reader.length());
  return into;
}

function readScalar(reader: Reader, type: ScalarType, { utf8Validation }: DescField) {
  return type === ScalarType.STRING && !utf8Validation ? reader.anyString() : reader[methods[type]]();
}

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
} as const satisfies Record<ScalarType, keyof Reader>;

const LENGTH = 2;
const GROUP = 3;

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

/** What stands for a map's value that did not come. */
function emptyItem(field: DescField & { fieldKind: "map" }): unknown {
  if (field.message !== undefined) return reflect(field.message, undefined, false);
  if (field.enum !== undefined) return field.enum.values[0]!.number;
  return scalarZeroValue(field.scalar, false);
}
