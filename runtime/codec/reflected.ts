import { create, type DescField, type DescMessage, type MessageShape, ScalarType, toBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect, scalarZeroValue } from "@bufbuild/protobuf/reflect";
import { type Codec, defineCodec, type Init } from "./codec.js";
import { EncodeError } from "./encode-error.js";
import { knows } from "./message.js";
import type { Reader } from "./reader.js";
import type { Writer } from "./writer.js";

/** Writes a message that has no generated codec. */
export function writeReflected<D extends DescMessage>(writer: Writer, schema: D, message: Init<D>): void {
  let bytes: Uint8Array;
  try {
    bytes = toBinary(schema, create(schema, message));
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
    if (field === undefined) reader.unknown(tag, message.message);
    else readField(reader, message, field, tag);
  }
  reader.leave();
}

function readField(reader: Reader, message: ReflectMessage, field: DescField, tag: number): void {
  switch (field.fieldKind) {
    case "scalar":
      message.set(field, readScalar(reader, field.scalar, field));
      break;
    case "enum": {
      const value = reader.int32();
      if (field.enum.open || knows(field.enum, value)) message.set(field, value);
      else reader.unknownEnum(tag, value, message.message);
      break;
    }
    case "message":
      message.set(field, readMessage(reader, field, message.get(field)));
      break;
    case "list": {
      const list = message.get(field);
      const isLong =
        field.listKind === "message" || field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
      if (isLong || (tag & 7) !== 2) list.add(readItem(reader, field));
      else for (const stop = reader.length(); reader.at < stop; ) list.add(readItem(reader, field));
      break;
    }
    case "map": {
      const stop = reader.length();
      let key: unknown;
      let value: unknown;
      for (let entry = reader.tag(stop); entry !== 0; entry = reader.tag(stop)) {
        if (entry >>> 3 === 1) key = readScalar(reader, field.mapKey, field);
        else if (entry >>> 3 === 2) value = readItem(reader, field);
      }
      // A property's name, whatever the key is.
      const name = (key ?? scalarZeroValue(field.mapKey, false)) as string;
      message.get(field).set(name, value ?? emptyItem(field));
      break;
    }
  }
}

/** An element of a list, or a map's value. */
function readItem(reader: Reader, field: DescField): unknown {
  if (field.message !== undefined) return readMessage(reader, field as MessageField);
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

/** What stands for a map's value that did not come. */
function emptyItem(field: DescField & { fieldKind: "map" }): unknown {
  if (field.message !== undefined) return reflect(field.message, undefined, false);
  if (field.enum !== undefined) return field.enum.values[0]!.number;
  return scalarZeroValue(field.scalar, false);
}
