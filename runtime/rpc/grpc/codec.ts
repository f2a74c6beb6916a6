import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";

/** Where a message's bytes go: `buffer[at]` is next, after room for them was reserved. */
export interface MessageSink {
  buffer: Uint8Array;
  at: number;
  reserve(size: number): void;
}

/** Turns the messages of one type into bytes, and back. Everything that a message crosses on its way goes through one. */
export interface MessageCodec {
  /** Appends a message, or the plain object of one, to `into`. Throws if it cannot be written; `into.at` may then be anywhere. */
  encode(message: unknown, into: MessageSink): void;
  /** Reads a message. Nothing of `bytes`, which is part of a socket's buffer, is kept. Throws if they are no such message. */
  decode(bytes: Uint8Array): unknown;
}

const codecs = new WeakMap<DescMessage, MessageCodec>();

/** The codec of a message type. */
export function messageCodec(type: DescMessage): MessageCodec {
  let codec = codecs.get(type);
  if (codec === undefined) {
    codec = reflectiveCodec(type);
    codecs.set(type, codec);
  }
  return codec;
}

/** protobuf-es's own way, which reads a message's descriptor for every message. */
function reflectiveCodec(type: DescMessage): MessageCodec {
  return {
    encode(message, into) {
      const bytes = toBinary(type, create(type, message as MessageInitShape<DescMessage>));
      into.reserve(bytes.length);
      into.buffer.set(bytes, into.at);
      into.at += bytes.length;
    },
    // A copy, because bytes fields and unknown fields are views of what was decoded.
    decode: (bytes) => fromBinary(type, new Uint8Array(bytes)),
  };
}
