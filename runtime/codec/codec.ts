import { setImmediate } from "node:timers/promises";
import type { DescMessage, Message, MessageInitShape, MessageShape, UnknownField } from "@bufbuild/protobuf";
import { notA } from "./create.js";
import { LoneSurrogateError } from "./lone-surrogate.js";
import { Reader } from "./reader.js";
import { Writer } from "./writer.js";

/** A message, or an init object for `create`. */
export type Init<D extends DescMessage> = MessageInitShape<D> & {
  readonly $unknown?: readonly UnknownField[] | undefined;
};

/**
 * Encodes and decodes messages of one type. For well-formed messages it is interchangeable with protobuf-es's `toBinary` and
 * `fromBinary`. It is stricter with malformed ones: a known field with another wire type is an unknown field, no value may extend
 * beyond the end of its message, and no string may have a lone surrogate.
 */
export interface Codec<D extends DescMessage = DescMessage> {
  readonly schema: D;
  /**
   * Appends a message in the wire format. An init object for `create` is encoded as is, without creating the message first.
   *
   * @throws if it is not an object, is a message of another type, has a value that its field's type cannot hold, or lacks a required
   *   field; nothing is appended then
   */
  encode(message: MessageInitShape<D>, writer: Writer): void;
  /** Returns a message in the wire format, in an array that shares no memory. */
  toBytes(message: MessageInitShape<D>): Uint8Array;
  /**
   * Decodes a message from `start` to `end`, by default from all bytes. The message shares no memory with `bytes`, so the buffer can
   * be reused.
   *
   * @param most the maximum number of messages, map entries and bytes values in it; default 100,000
   * @throws if the bytes are not a valid message
   */
  decode(bytes: Uint8Array, start?: number, end?: number, most?: number): MessageShape<D>;
  /**
   * Decodes a long message in several turns of the event loop, so that it does not block other work. A field is never split, however
   * long: elements of the message's own lists and maps count as fields, those of a message inside it do not. `bytes` must not change
   * until the promise settles.
   *
   * @param most as `decode`
   * @throws as `decode`
   */
  decodeInTurns(bytes: Uint8Array, most?: number): Promise<MessageShape<D>>;
}

/** The number of bytes that one turn reads, if they are several fields. */
const TURN = 128 * 1024;

/** A buffer of `toBytes` that grew beyond this size is released after use, because such a message is rare. */
const KEPT = 1 << 20;

let shared = new Writer();

/** Makes a codec of the functions in a message's `_codec` file, which handle its fields without tag and length. */
export function defineCodec<D extends DescMessage>(
  schema: D,
  write: (writer: Writer, message: Init<D>) => void,
  read: (reader: Reader, end: number, before?: MessageShape<D>) => MessageShape<D>,
): Codec<D> {
  function encode(message: MessageInitShape<D>, writer: Writer): void {
    if (typeof message !== "object" || message === null) throw notA(schema, message);
    const { $typeName: type } = message as Partial<Message>;
    if (type !== undefined && type !== schema.typeName) throw notA(schema, message);
    const start = writer.at;
    try {
      write(writer, message as Init<D>);
    } catch (error) {
      writer.at = start;
      throw error instanceof LoneSurrogateError ? error.in(schema, message) : error;
    }
  }
  return {
    schema,
    encode,
    toBytes(message) {
      const writer = shared;
      const start = writer.at;
      encode(message, writer);
      // From Node's pool: allocating a separate array costs more than encoding a small message.
      const bytes = Buffer.allocUnsafe(writer.at - start);
      writer.buffer.copy(bytes, 0, start, writer.at);
      writer.at = start;
      if (start === 0 && writer.buffer.length > KEPT) shared = new Writer();
      return bytes;
    },
    decode(bytes, start = 0, end = bytes.length, most) {
      if (!(start >= 0 && start <= end && end <= bytes.length)) {
        throw new RangeError(`of ${bytes.length} bytes, there is nothing from ${start} to ${end}`);
      }
      const reader = new Reader(bytes, start, end, most);
      const message = read(reader, end);
      reader.finish();
      return message;
    },
    async decodeInTurns(bytes, most) {
      const reader = new Reader(bytes, 0, bytes.length, most);
      let message = read(reader, reader.endOfFields(TURN));
      while (reader.at < bytes.length) {
        await setImmediate();
        reader.resume();
        message = read(reader, reader.endOfFields(TURN), message);
      }
      reader.finish();
      return message;
    },
  };
}
