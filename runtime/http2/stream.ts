import type { Backlog } from "./backlog.js";
import { ErrorCode } from "./errors.js";
import type { HeaderBlock } from "./field.js";
import { FRAME_SIZE } from "./frames.js";
import type { ConstantBlock, FieldList } from "./hpack-encoder.js";
import type { Limits } from "./limits.js";
import type { ResetPace } from "./reset-pace.js";
import { startTimer, stopTimer, Timer } from "./timers.js";

/** Receives what arrives on a stream. */
export interface StreamConsumer {
  /** A header block: of a response, or the trailers of either side. */
  headers(block: HeaderBlock, endStream: boolean): void;
  /** A part of the body: `source` from `start` to `end`, valid only during this call. */
  data(source: Buffer, start: number, end: number, endStream: boolean): void;
  /**
   * The stream closed before both sides had ended it: the peer reset it, the peer broke the protocol, or the connection
   * closed, with `cause` then. Called at most once, and not after a reset by this side.
   */
  closed(code: number, cause: Error | undefined): void;
  /** All queued data has been sent. */
  drained(): void;
}

/** The part of a connection that its streams use. */
export interface StreamConnection {
  readonly role: "server" | "client";
  readonly limits: Limits;
  readonly backlog: Backlog;
  /** Paces the resets of streams that this side opened and abandons. */
  readonly resetPace: ResetPace;
  /** Returns how many bytes of the stream's body both windows allow now. */
  room(stream: Stream): number;
  writeHeaders(stream: Stream, fields: FieldList | ConstantBlock, endStream: boolean): void;
  /** Writes as much of `bytes` from `at` on as can be sent now. Returns the position of the first byte that was not written. */
  writeData(stream: Stream, bytes: Uint8Array, at: number, endStream: boolean): number;
  /** Writes an empty DATA frame that ends this side's half. */
  writeEnd(stream: Stream): void;
  /** Lets the peer send so many more bytes on the stream. */
  writeWindowUpdate(stream: Stream, increment: number): void;
  /** The stream has queued so many more bytes. */
  queued(stream: Stream, bytes: number): void;
  /** So many queued bytes of the stream have been sent or dropped. */
  dequeued(stream: Stream, bytes: number): void;
  /** Resets the stream and closes it. */
  reset(stream: Stream, code: number): void;
  /** Resets the stream for a fault of the peer. Many such resets end the connection. */
  refuse(stream: Stream, code: number): void;
  /** Both sides have ended the stream: closes it. */
  ended(stream: Stream): void;
}

/** The time that the rest of a request has to arrive after its response, in milliseconds. */
const LINGER = 1_000;
/** The bytes that a peer must take of a complete response within the stall timeout. */
const PROGRESS = 1_024;

const noConsumer: StreamConsumer = { headers() {}, data() {}, closed() {}, drained() {} };

/** One stream of a connection (RFC 9113, section 5). */
export class Stream {
  consumer: StreamConsumer = noConsumer;
  sendWindow: number;
  receiveWindow: number;
  isRemoteEnded = false;
  isLocalEnded = false;
  isClosed = false;
  /** The announced length of the received body, or -1. */
  expectedLength = -1;
  /** The length of the body received so far. */
  receivedLength = 0;
  /** Whether a request, or a response that is not interim, has been received. */
  hasHeaders = false;
  /**
   * Whether the stream stays open for a moment when its response is complete before its request. Many HTTP clients take a
   * reset while they send for a failure, and ignore the response.
   */
  lingers = false;
  /** The bytes that the peer may send again, not yet announced in a WINDOW_UPDATE. */
  #credit = 0;
  /** Data to be sent, in order. */
  #queue: Uint8Array[] | undefined;
  /** The position in the first part of the queue. */
  #queueAt = 0;
  #queued = 0;
  /** The queued bytes that were sent since the stall timer started. */
  #taken = 0;
  /** How this side's half ends once the queue is empty: with trailers, or with the last data. */
  #ending: FieldList | ConstantBlock | "data" | undefined;
  #stall: Timer | undefined;
  #linger: Timer | undefined;

  constructor(
    readonly connection: StreamConnection,
    readonly id: number,
    sendWindow: number,
    receiveWindow: number,
  ) {
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** The number of bytes that wait to be sent. A sender with back-pressure waits for `drained` while it is not 0. */
  get queued(): number {
    return this.#queued;
  }

  sendHeaders(fields: FieldList | ConstantBlock, endStream = false): void {
    if (this.isClosed || this.isLocalEnded) return;
    this.connection.writeHeaders(this, fields, endStream);
    if (endStream) this.#endedLocally();
  }

  /** Sends a part of the body. Copies the bytes that cannot be sent at once. */
  sendData(bytes: Uint8Array): void {
    if (this.isClosed || this.isLocalEnded) return;
    const sent = this.#queued > 0 ? 0 : this.connection.writeData(this, bytes, 0, false);
    if (sent === bytes.length) return;
    this.#queue ??= [];
    this.#queue.push(Uint8Array.prototype.slice.call(bytes, sent));
    this.#queued += bytes.length - sent;
    this.connection.queued(this, bytes.length - sent);
  }

  /** Sends the last part of the body, which must not be empty. */
  sendLastData(bytes: Uint8Array): void {
    if (this.isClosed || this.isLocalEnded) return;
    if (this.#queued === 0 && bytes.length <= FRAME_SIZE && this.connection.room(this) >= bytes.length) {
      this.connection.writeData(this, bytes, 0, true);
      this.#endedLocally();
      return;
    }
    this.sendData(bytes);
    this.end();
  }

  /** Ends this side's half once all queued data is sent, with or without trailers. */
  end(trailers?: FieldList | ConstantBlock): void {
    if (this.isClosed || this.isLocalEnded) return;
    if (this.#queued > 0) {
      this.#ending = trailers ?? "data";
      this.#watchStall();
      return;
    }
    if (trailers === undefined) this.connection.writeEnd(this);
    else this.connection.writeHeaders(this, trailers, true);
    this.#endedLocally();
  }

  /** Resets the stream. Its consumer is not told. */
  reset(code: number): void {
    if (!this.isClosed) this.connection.reset(this, code);
  }

  /** Resets the stream for a fault of the peer. Its consumer is not told. */
  refuse(code: number): void {
    if (!this.isClosed) this.connection.refuse(this, code);
  }

  /** Resets a stream that this side opened, as soon as the pace of resets allows. Its consumer hears nothing more. */
  resetPaced(code: number): void {
    if (this.isClosed) return;
    this.consumer = noConsumer;
    const stream = this;
    this.connection.resetPace.giveUp({
      get isClosed() {
        return stream.isClosed;
      },
      reset: () => stream.reset(code),
    });
  }

  /** Resets the stream because its peer does not read what is sent to it, and tells the consumer. */
  drop(): void {
    const { consumer } = this;
    this.reset(ErrorCode.CANCEL);
    consumer.closed(ErrorCode.CANCEL, undefined);
  }

  /** The consumer has processed so many bytes: the peer may send as many more. */
  consumed(bytes: number): void {
    if (this.isRemoteEnded || this.isClosed) return;
    this.#credit += bytes;
    if (this.#credit < this.connection.limits.streamWindow / 2) return;
    this.receiveWindow += this.#credit;
    this.connection.writeWindowUpdate(this, this.#credit);
    this.#credit = 0;
  }

  /** Sends queued data, as far as the windows allow. */
  resume(): void {
    let sent = 0;
    const queue = this.#queue ?? [];
    while (queue.length > 0) {
      const first = queue[0] as Uint8Array;
      const isLast = this.#ending === "data" && queue.length === 1;
      const at = this.connection.writeData(this, first, this.#queueAt, isLast);
      sent += at - this.#queueAt;
      this.#queueAt = at;
      if (at < first.length) break;
      queue.shift();
      this.#queueAt = 0;
    }
    this.#queued -= sent;
    this.connection.dequeued(this, sent);
    if (this.#queued > 0) {
      this.#taken += sent;
      if (this.#taken >= PROGRESS && this.#ending !== undefined) this.#watchStall();
      return;
    }
    if (this.#ending === undefined) {
      this.consumer.drained();
      return;
    }
    if (this.#ending !== "data") this.connection.writeHeaders(this, this.#ending, true);
    this.#ending = undefined;
    this.#endedLocally();
  }

  /** Marks the stream as closed and drops queued data. Called by the connection. */
  close(): void {
    this.isClosed = true;
    if (this.#stall !== undefined) stopTimer(this.#stall);
    if (this.#linger !== undefined) stopTimer(this.#linger);
    if (this.#queued === 0) return;
    const dropped = this.#queued;
    this.#queue = undefined;
    this.#queued = 0;
    this.connection.dequeued(this, dropped);
  }

  #endedLocally(): void {
    this.isLocalEnded = true;
    if (this.isRemoteEnded) this.connection.ended(this);
    else if (this.connection.role === "server") this.#discardRequest();
  }

  /** Ends a stream whose response is complete before its request: the rest is not read (RFC 9113, section 8.1). */
  #discardRequest(): void {
    if (!this.lingers) {
      this.reset(ErrorCode.NO_ERROR);
      return;
    }
    this.#linger = new Timer(() => this.reset(ErrorCode.NO_ERROR));
    startTimer(this.#linger, LINGER);
  }

  /** Bounds how long a complete response waits for a peer that opens no window for it. */
  #watchStall(): void {
    this.#taken = 0;
    this.#stall ??= new Timer(() => this.drop());
    startTimer(this.#stall, this.connection.limits.stallTimeoutMs);
  }
}
