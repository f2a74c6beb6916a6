import type { Message } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import type { Codec } from "../codec/codec.js";
import { Writer } from "../codec/writer.js";
import { errorFor } from "../errors/error.js";

/** Before every message: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
export const PREFIX = 5;

/** Above this, the buffer that messages are written into is not kept, for the message was an exception. */
const KEPT = 256 * 1024;

let writer = new Writer(16 * 1024);

/** A message with its prefix. The bytes are valid until the next call. Throws a ConnectError if it cannot be written. */
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

/** Writes the prefix of a message that stands behind it. */
export function setPrefix(bytes: Uint8Array, flags: number): void {
  const length = bytes.length - PREFIX;
  bytes[0] = flags;
  bytes[1] = length >>> 24;
  bytes[2] = length >>> 16;
  bytes[3] = length >>> 8;
  bytes[4] = length;
}

/** The code for malformed input: from a caller it is INVALID_ARGUMENT, from a server INTERNAL. */
export type Blame = Code.InvalidArgument | Code.Internal;

/** Reads a message. Throws a ConnectError if the bytes from `start` to `end` are none. Nothing of them is kept. */
export function readMessage(codec: Codec, bytes: Uint8Array, start: number, end: number, blame: Blame): unknown {
  try {
    return codec.decode(bytes, start, end, mostValues(blame));
  } catch (error) {
    throw unreadable(error, blame);
  }
}

/** Reads a message as `readMessage` does, in several turns of the event loop. `bytes` must not change until it has been read. */
export async function readMessageInTurns(codec: Codec, bytes: Uint8Array, blame: Blame): Promise<unknown> {
  try {
    return await codec.decodeInTurns(bytes, mostValues(blame));
  } catch (error) {
    throw unreadable(error, blame);
  }
}

/** Returns the error for a body that has no valid messages. */
export function malformed(blame: Blame, text: string, cause?: unknown): ConnectError {
  return errorFor(blame === Code.Internal ? "RESPONSE_MALFORMED" : "REQUEST_MALFORMED", text, { cause });
}

/** Returns how many values a message may have: a server's response has as many as its caller takes. */
function mostValues(blame: Blame): number | undefined {
  return blame === Code.Internal ? Number.POSITIVE_INFINITY : undefined;
}

function unreadable(error: unknown, blame: Blame): ConnectError {
  const text = error instanceof Error ? error.message : String(error);
  return malformed(blame, `parse binary: ${text}`, error);
}

/** Gets messages, each whole. `source` is valid only during the call, unless the taker may keep it. */
export interface MessageTaker {
  message(source: Uint8Array, start: number, end: number, isCompressed: boolean, mayKeep: boolean): void;
}

/** Cuts a body into its messages. A message that came in one piece is not copied. */
export class Deframer {
  #prefix: Uint8Array | undefined;
  #prefixLength = 0;
  #body: Uint8Array | undefined;
  #bodyLength = 0;
  #length = -1;
  #flags = 0;

  constructor(
    /** The longest message that is taken, in bytes. */
    readonly maxBytes: number,
    readonly blame: Blame,
  ) {}

  /** How many bytes of a message that is not complete are kept. */
  get held(): number {
    return this.#bodyLength + this.#prefixLength;
  }

  /** Throws a ConnectError if the input is not a sequence of messages, or if one is too long. */
  read(source: Uint8Array, start: number, end: number, taker: MessageTaker): void {
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
        taker.message(source, from, at, this.#flags === 1, false);
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
      taker.message(body, 0, length, this.#flags === 1, true);
    }
  }

  /** To be called when the body has ended. Throws a ConnectError if that was in the middle of a message. */
  end(): void {
    if (this.#length >= 0) {
      const text = `protocol error: promised ${this.#length} bytes in enveloped message, got ${this.#bodyLength} bytes`;
      throw malformed(this.blame, text);
    }
    if (this.#prefixLength > 0) throw malformed(this.blame, "protocol error: incomplete envelope");
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

  /** The buffer grows with the bytes that arrive, not with the announced length. */
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
