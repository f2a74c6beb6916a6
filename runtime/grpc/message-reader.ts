import { errorFor } from "../errors/error.js";
import type { Stream } from "../http2/stream.js";
import { Deframer, type FrameReceiver, PREFIX, readMessage } from "./frame.js";
import { isLong, type MessageFormat, UnreadMessage } from "./unread-message.js";

/** Receives the messages of a body in their order. */
export interface MessageReceiver {
  /** Called before each message is decoded. Throws a ConnectError if another message is not allowed. */
  expectMessage(): void;
  /** Called with each message, which may be an UnreadMessage, and its size in the body. */
  received(message: unknown, size: number): void;
}

/** Decodes the messages of a request's or a response's body, and returns flow-control window to the peer as they are consumed. */
export class MessageReader implements FrameReceiver {
  readonly #deframer: Deframer;
  /** The number of bytes that have arrived and for which the peer has got no window back. */
  #uncredited = 0;

  constructor(
    private readonly stream: Stream,
    private readonly format: MessageFormat,
    private readonly receiver: MessageReceiver,
  ) {
    this.#deframer = new Deframer(format.maxBytes, format.malformedCode);
  }

  /** The number of buffered bytes of an incomplete message. */
  get held(): number {
    return this.#deframer.held;
  }

  /** Reads a chunk of the body. Throws a ConnectError if its messages are invalid. */
  read(source: Uint8Array, start: number, end: number): void {
    this.#uncredited += end - start;
    this.#deframer.read(source, start, end, this);
  }

  /** Ends the body. Throws a ConnectError if a message is incomplete. */
  end(): void {
    this.#deframer.end();
  }

  /** Called by the deframer. */
  message(source: Uint8Array, start: number, end: number, isCompressed: boolean, mayKeep: boolean): void {
    this.receiver.expectMessage();
    const { codec, malformedCode, isGzip } = this.format;
    if (isCompressed && !isGzip) {
      throw errorFor("PROTOCOL_VIOLATED", "protocol error: received a compressed message without grpc-encoding");
    }
    let message: unknown;
    if (isCompressed || isLong(end - start)) {
      const bytes = source.subarray(start, end);
      message = new UnreadMessage(mayKeep ? bytes : new Uint8Array(bytes), isCompressed, this.format);
    } else message = readMessage(codec, source, start, end, malformedCode);
    this.receiver.received(message, PREFIX + end - start);
  }

  /** Returns the window of a consumed message to the peer. */
  credit(size: number): void {
    const credit = Math.min(size, this.#uncredited);
    this.#uncredited -= credit;
    if (credit > 0) this.stream.consumed(credit);
  }

  /** Returns the window of all bytes that have arrived to the peer, because no message waits to be consumed. */
  creditAll(): void {
    this.credit(this.#uncredited);
  }
}

/** Returns whether a chunk is exactly one uncompressed message, as the bodies of most unary calls are. */
export function isWholeMessage(source: Buffer, start: number, end: number, maxBytes: number): boolean {
  const length = end - start - PREFIX;
  return length >= 0 && source[start] === 0 && source.readUInt32BE(start + 1) === length && length <= maxBytes;
}
