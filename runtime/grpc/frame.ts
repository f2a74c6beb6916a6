import type { Message } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import type { Codec } from "../codec/codec.js";
import { Writer } from "../codec/writer.js";
import { errorFor } from "../errors/error.js";

/** The length of a message's prefix: the compressed flag and the message length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
export const PREFIX = 5;

/** The maximum size of the reused write buffer, in bytes. Few messages need a larger one, which is dropped after its use. */
const KEPT = 256 * 1024;

let writer = new Writer(16 * 1024);

/** Returns an encoded message with its prefix. The bytes are valid until the next call. Throws a ConnectError if encoding fails. */
export function frameMessage(codec: Codec, message: unknown): Uint8Array {
  if (writer.buffer.length > KEPT) writer = new Writer(16 * 1024);
  writer.at = PREFIX;
  try {
    codec.encode(message as Message, writer);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw errorFor("MESSAGE_NOT_WRITABLE", `serialize binary: ${text}`, { cause: error });
  }
  const bytes = writer.buffer.subarray(0, writer.at);
  setPrefix(bytes, 0);
  return bytes;
}

/** Writes the prefix of the message that follows it in `bytes`. */
export function setPrefix(bytes: Uint8Array, flags: number): void {
  const length = bytes.length - PREFIX;
  bytes[0] = flags;
  bytes[1] = length >>> 24;
  bytes[2] = length >>> 16;
  bytes[3] = length >>> 8;
  bytes[4] = length;
}

/** The status code for malformed messages: INVALID_ARGUMENT for a request, INTERNAL for a response. */
export type MalformedCode = Code.InvalidArgument | Code.Internal;

/** Decodes a message. Throws a ConnectError if the bytes from `start` to `end` are invalid. The message does not refer to them. */
export function readMessage(
  codec: Codec,
  bytes: Uint8Array,
  start: number,
  end: number,
  malformedCode: MalformedCode,
): unknown {
  try {
    return codec.decode(bytes, start, end, maxValues(malformedCode));
  } catch (error) {
    throw unreadable(error, malformedCode);
  }
}

/** Decodes a message in several turns of the event loop. The bytes must not change before the promise is settled. */
export async function readMessageInTurns(
  codec: Codec,
  bytes: Uint8Array,
  malformedCode: MalformedCode,
): Promise<unknown> {
  try {
    return await codec.decodeInTurns(bytes, maxValues(malformedCode));
  } catch (error) {
    throw unreadable(error, malformedCode);
  }
}

/** Returns the error for a body whose messages are invalid. */
export function malformed(malformedCode: MalformedCode, text: string, cause?: unknown): ConnectError {
  return errorFor(malformedCode === Code.Internal ? "RESPONSE_MALFORMED" : "REQUEST_MALFORMED", text, { cause });
}

/** Returns the maximum number of values in a message: undefined for the codec's default, and no limit for a server's response. */
function maxValues(malformedCode: MalformedCode): number | undefined {
  return malformedCode === Code.Internal ? Number.POSITIVE_INFINITY : undefined;
}

function unreadable(error: unknown, malformedCode: MalformedCode): ConnectError {
  const text = error instanceof Error ? error.message : String(error);
  return malformed(malformedCode, `parse binary: ${text}`, error);
}

/** Receives complete messages. `source` is valid only during the call, unless `mayKeep` is true. */
export interface FrameReceiver {
  message(source: Uint8Array, start: number, end: number, isCompressed: boolean, mayKeep: boolean): void;
}

/** Splits a body into its length-prefixed messages. A message that arrives in one chunk is not copied. */
export class Deframer {
  #prefix: Uint8Array | undefined;
  #prefixLength = 0;
  #body: Uint8Array | undefined;
  #bodyLength = 0;
  #length = -1;
  #flags = 0;

  constructor(
    /** The maximum size of a message in bytes. */
    readonly maxBytes: number,
    readonly malformedCode: MalformedCode,
  ) {}

  /** The number of buffered bytes of an incomplete message. */
  get held(): number {
    return this.#bodyLength + this.#prefixLength;
  }

  /** Reads a chunk of the body. Throws a ConnectError if a prefix is invalid, or a message is too long. */
  read(source: Uint8Array, start: number, end: number, receiver: FrameReceiver): void {
    let at = start;
    while (at < end) {
      if (this.#length < 0) {
        if (this.#prefixLength === 0 && end - at >= PREFIX) {
          this.#begin(source, at);
          at += PREFIX;
        } else {
          this.#prefix ??= new Uint8Array(PREFIX);
          while (this.#prefixLength < PREFIX && at < end) this.#prefix[this.#prefixLength++] = source[at++] as number;
          if (this.#prefixLength < PREFIX) return;
          this.#prefixLength = 0;
          this.#begin(this.#prefix, 0);
        }
      }
      const missing = this.#length - this.#bodyLength;
      if (this.#bodyLength === 0 && end - at >= missing) {
        const from = at;
        at += missing;
        this.#length = -1;
        receiver.message(source, from, at, this.#flags === 1, false);
        continue;
      }
      const taken = Math.min(missing, end - at);
      this.#keep(source, at, taken);
      at += taken;
      if (taken < missing) return;
      const body = this.#body as Uint8Array;
      const length = this.#bodyLength;
      this.#body = undefined;
      this.#bodyLength = 0;
      this.#length = -1;
      receiver.message(body, 0, length, this.#flags === 1, true);
    }
  }

  /** Ends the body. Throws a ConnectError if a message is incomplete. */
  end(): void {
    if (this.#length >= 0) {
      const text = `protocol error: promised ${this.#length} bytes in enveloped message, got ${this.#bodyLength} bytes`;
      throw malformed(this.malformedCode, text);
    }
    if (this.#prefixLength > 0) throw malformed(this.malformedCode, "protocol error: incomplete envelope");
  }

  #begin(source: Uint8Array, at: number): void {
    this.#flags = source[at] as number;
    if (this.#flags > 1) {
      throw errorFor("PROTOCOL_VIOLATED", `protocol error: unknown flags 0x${this.#flags.toString(16)}`);
    }
    this.#length =
      (((source[at + 1] as number) << 24) |
        ((source[at + 2] as number) << 16) |
        ((source[at + 3] as number) << 8) |
        (source[at + 4] as number)) >>>
      0;
    if (this.#length > this.maxBytes) throw tooLong(this.#length, this.maxBytes);
  }

  /** Buffers bytes. The buffer grows with the bytes that arrive, because a peer may announce any length. */
  #keep(source: Uint8Array, at: number, length: number): void {
    const needed = this.#bodyLength + length;
    if (this.#body === undefined || this.#body.length < needed) {
      const body = new Uint8Array(Math.min(this.#length, Math.max(needed, 2 * (this.#body?.length ?? 2048))));
      if (this.#body !== undefined) body.set(this.#body.subarray(0, this.#bodyLength));
      this.#body = body;
    }
    this.#body.set(source.subarray(at, at + length), this.#bodyLength);
    this.#bodyLength = needed;
  }
}

export function tooLong(length: number | undefined, maxBytes: number): ConnectError {
  const size = length === undefined ? "" : ` ${length}`;
  return errorFor("MESSAGE_TOO_LARGE", `message size${size} is larger than configured readMaxBytes ${maxBytes}`);
}
