import { setImmediate } from "node:timers/promises";
import type { DescMessage, Message, MessageInitShape, MessageShape, UnknownField } from "@bufbuild/protobuf";
import { notA } from "./create.js";
import { LoneSurrogateError } from "./lone-surrogate.js";
import { Reader } from "./reader.js";
import { Writer } from "./writer.js";

/** A message, or what `create` would make one of. */
export type Init<D extends DescMessage> = MessageInitShape<D> & {
  readonly $unknown?: readonly UnknownField[] | undefined;
};

/**
 * Turns messages of one type into bytes and back, interchangeably with protobuf-es's `toBinary` and `fromBinary` for all
 * that is well-formed. Of what is not, more is refused or told apart: a known field with another wire type is an unknown
 * one, no value goes past the end of the message that it is in, no text has half a character.
 */
export interface Codec<D extends DescMessage = DescMessage> {
  readonly schema: D;
  /**
   * Appends a message's bytes. It may be what `create` would make one of: nobody needs to.
   *
   * @throws if it is no object or a message of another type, a field holds what its type cannot, or a required one is not
   *   set; then nothing was appended
   */
  encode(message: MessageInitShape<D>, writer: Writer): void;
  /** A message's bytes, in an array of their own. */
  toBytes(message: MessageInitShape<D>): Uint8Array;
  /**
   * Reads a message, and nothing outside `start` and `end`, by default all. It keeps no part of `bytes`, which may be
   * used again.
   *
   * @param most how many messages, entries of maps and values of bytes there may be in it; default 100,000
   * @throws if they are no such message
   */
  decode(bytes: Uint8Array, start?: number, end?: number, most?: number): MessageShape<D>;
  /**
   * Reads a long message in several turns of the event loop, so that others have theirs. One field is read in one turn, be it ever so
   * long: the elements of the message's own lists and maps are fields, those of a message inside it are not. `bytes` must not
   * change until then.
   *
   * @param most as `decode`
   * @throws as `decode`
   */
  decodeInTurns(bytes: Uint8Array, most?: number): Promise<MessageShape<D>>;
}

/** How many bytes are read in one turn, if they are several fields. */
const TURN = 128 * 1024;

/** Larger than this, the buffer that `toBytes` writes into is not kept, for it was an exception. */
const KEPT = 1 << 20;

let shared = new Writer();

/** Makes a codec of the functions that a `_codec` file has for its message: of its fields, without length or tag. */
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
      // From Node's pool: an array of its own would cost more than all that went before.
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
