import { create, type DescMessage, type MessageShape, mergeFromBinary, toBinary } from "@bufbuild/protobuf";
import { type Codec, defineCodec, type Init } from "./codec.js";
import type { Reader } from "./reader.js";
import type { Writer } from "./writer.js";

/** Writes a message that has no generated codec. */
export function writeReflected<D extends DescMessage>(writer: Writer, schema: D, message: Init<D>): void {
  writer.raw(toBinary(schema, create(schema, message)));
}

/**
 * Reads a message that has no generated codec; one that was there already takes the fields that are read. A field that
 * reaches past the message's end is refused, where protobuf-es by itself reads on in what comes after.
 */
export function readReflected<D extends DescMessage>(
  reader: Reader,
  schema: D,
  end: number,
  message: MessageShape<D> = create(schema),
): MessageShape<D> {
  const recursionLimit = reader.left;
  const fields = reader.fields(end);
  try {
    return mergeFromBinary(schema, message, fields, { recursionLimit });
  } catch (cause) {
    throw new RangeError(`cannot read ${schema.typeName}: ${(cause as Error).message}`, { cause });
  }
}

/** A codec of protobuf-es itself, which reads a message's descriptor each time. */
export function reflectedCodec<D extends DescMessage>(schema: D): Codec<D> {
  return defineCodec(
    schema,
    (writer, message) => writeReflected(writer, schema, message),
    (reader, end) => readReflected(reader, schema, end),
  );
}
