import { errorFor } from "../errors/error.js";
import type { Stream } from "../http2/stream.js";
import { Deframer, type MessageTaker, PREFIX, readMessage } from "./frame.js";
import { isLong, type MessageFormat, UnreadMessage } from "./unread-message.js";

/** Gets the messages of a body in their order. */
export interface MessageReceiver {
  /** Called before each message is decoded. Throws a ConnectError if no other message may follow. */
  expectMessage(): void;
  /** Receives a message, or an UnreadMessage, and its size in the body. */
  received(message: unknown, size: number): void;
}

/** Reads the body of a request or a response: bytes in, messages out, and window back to the peer for those that were taken. */
export class MessageReader implements MessageTaker {
  readonly #deframer: Deframer;
  /** The bytes that have arrived, less those that the peer may send again. */
  #uncredited = 0;

  constructor(
    private readonly stream: Stream,
    private readonly format: MessageFormat,
    private readonly receiver: MessageReceiver,
  ) {
    this.#deframer = new Deframer(format.maxBytes, format.blame);
  }

  /** The bytes that are kept of an incomplete message. */
  get held(): number {
    return this.#deframer.held;
  }

  /** Reads a part of the body. Throws a ConnectError if it has no valid messages. */
  read(source: Uint8Array, start: number, end: number): void {
    this.#uncredited += end - start;
    this.#deframer.read(source, start, end, this);
  }

  /** Ends the body. Throws a ConnectError if a message is incomplete. */
  end(): void {
    this.#deframer.end();
  }

  /** A message from the deframer. */
  message(source: Uint8Array, start: number, end: number, isCompressed: boolean, mayKeep: boolean): void {
    this.receiver.expectMessage();
    const { codec, blame, isGzip } = this.format;
    if (isCompressed && !isGzip) {
      throw errorFor("PROTOCOL_VIOLATED", "protocol error: received a compressed message without grpc-encoding");
    }
    let message: unknown;
    if (isCompressed || isLong(end - start)) {
      const bytes = source.subarray(start, end);
      message = new UnreadMessage(mayKeep ? bytes : new Uint8Array(bytes), isCompressed, this.format);
    } else message = readMessage(codec, source, start, end, blame);
    this.receiver.received(message, PREFIX + end - start);
  }

  /** Reports that a message of this size was consumed: the peer may send as many more bytes. */
  credit(size: number): void {
    const credit = Math.min(size, this.#uncredited);
    this.#uncredited -= credit;
    if (credit > 0) this.stream.consumed(credit);
  }

  /** No message waits to be taken: the peer may send as much as has arrived. */
  creditAll(): void {
    this.credit(this.#uncredited);
  }
}

/** Returns whether a part of a body is exactly one uncompressed message, as the bodies of most unary calls are. */
export function isWholeMessage(source: Buffer, start: number, end: number, maxBytes: number): boolean {
  const length = end - start - PREFIX;
  return length >= 0 && source[start] === 0 && source.readUInt32BE(start + 1) === length && length <= maxBytes;
}
