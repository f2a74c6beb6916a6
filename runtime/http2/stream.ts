import type { Connection } from "./connection.js";
import { ErrorCode } from "./errors.js";
import type { HeaderBlock } from "./field.js";
import { FRAME_SIZE } from "./frames.js";
import type { ConstantBlock, FieldList } from "./hpack-encoder.js";
import { startTimer, stopTimer, Timer } from "./timers.js";

/** Who gets what arrives on a stream. */
export interface StreamConsumer {
  /** A header block: of a response, or the trailers of either side. */
  headers(block: HeaderBlock, endStream: boolean): void;
  /** A part of the body: `source` from `start` to `end`, which is valid only during this call. */
  data(source: Buffer, start: number, end: number, endStream: boolean): void;
  /**
   * The stream is over before both sides had ended it: the peer reset it, it broke the protocol, or the connection is gone,
   * with `cause` then. Called at most once, and not for a reset of one's own.
   */
  closed(code: number, cause: Error | undefined): void;
  /** What had to wait has been sent. */
  drained(): void;
}

/** How long the rest of a request may come after its answer, in milliseconds. */
const LINGER = 1_000;
/** A peer that takes less than so many bytes of an answer in a long time does not take it. */
const PROGRESS = 1_024;

const nobody: StreamConsumer = { headers() {}, data() {}, closed() {}, drained() {} };

/** One stream of a connection (RFC 9113, section 5). */
export class Stream {
  consumer: StreamConsumer = nobody;
  sendWindow: number;
  receiveWindow: number;
  /** What the peer may send again, but has not been told so yet. */
  credit = 0;
  isRemoteEnded = false;
  isLocalEnded = false;
  isClosed = false;
  /** The length that was announced for the body, and what has come of it; -1: none was. */
  expectedLength = -1;
  receivedLength = 0;
  /** Whether a response or a request with more than an interim status has been received. */
  hasHeaders = false;
  /**
   * Whether an answer that is complete before its request leaves the stream open for what is still on its way, for a
   * moment: many HTTP clients take a reset while they send for a failure, and do not look at the answer.
   */
  lingers = false;
  /** What is still to be sent, in its order: bytes that wait for a window. */
  #queue: Uint8Array[] | undefined;
  #queueAt = 0;
  #queued = 0;
  /** How much of it was taken since the peer was last seen to take enough. */
  #taken = 0;
  #ending: FieldList | ConstantBlock | "data" | undefined;
  #stall: Timer | undefined;
  #linger: Timer | undefined;

  constructor(
    readonly connection: Connection,
    readonly id: number,
    sendWindow: number,
    receiveWindow: number,
  ) {
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** How many bytes wait to be sent. A sender that honours it waits for `drained` while it is not 0. */
  get queued(): number {
    return this.#queued;
  }

  sendHeaders(fields: FieldList | ConstantBlock, endStream = false): void {
    if (this.isClosed || this.isLocalEnded) return;
    this.connection.writeHeaders(this, fields, endStream);
    if (endStream) this.endedLocally();
  }

  /** Sends a part of the body. What cannot go at once is copied. */
  sendData(bytes: Uint8Array): void {
    if (this.isClosed || this.isLocalEnded) return;
    const sent = this.#queued > 0 ? 0 : this.connection.writeData(this, bytes, 0, false);
    if (sent === bytes.length) return;
    this.#queue ??= [];
    this.#queue.push(Uint8Array.prototype.slice.call(bytes, sent));
    this.#queued += bytes.length - sent;
    this.connection.waits(this, bytes.length - sent);
  }

  /** Sends the last part of the body. */
  sendLastData(bytes: Uint8Array): void {
    if (this.isClosed || this.isLocalEnded) return;
    if (this.#queued === 0 && bytes.length <= FRAME_SIZE && this.connection.room(this) >= bytes.length) {
      this.connection.writeData(this, bytes, 0, true);
      this.endedLocally();
      return;
    }
    this.sendData(bytes);
    this.end();
  }

  /** Ends this side's half, once all that waits is sent: with trailers, or without. */
  end(trailers?: FieldList | ConstantBlock): void {
    if (this.isClosed || this.isLocalEnded) return;
    if (this.#queued > 0) {
      this.#ending = trailers ?? "data";
      this.#watchStall();
      return;
    }
    if (trailers === undefined) this.connection.writeEnd(this);
    else this.connection.writeHeaders(this, trailers, true);
    this.endedLocally();
  }

  /** Gives the stream up. Its consumer hears nothing more. */
  reset(code: number): void {
    if (this.isClosed) return;
    this.connection.writeReset(this, code);
  }

  /** Gives the stream up because its peer does not take what is sent to it. */
  giveUp(): void {
    const { consumer } = this;
    this.reset(ErrorCode.CANCEL);
    consumer.closed(ErrorCode.CANCEL, undefined);
  }

  /** Gives up a stream of one's own: nothing more is heard of it, and it is reset when its peer can take that. */
  leave(code: number): void {
    if (this.isClosed) return;
    this.consumer = nobody;
    const stream = this;
    this.connection.resetPace.giveUp({
      get isClosed() {
        return stream.isClosed;
      },
      reset: () => stream.reset(code),
    });
  }

  /** Gives the stream up, for something that the peer did wrong. */
  refuse(code: number): void {
    if (!this.isClosed) this.connection.blame(this, code);
  }

  /** The consumer has done with so many bytes: the peer may send as many more. */
  consumed(bytes: number): void {
    if (this.isRemoteEnded || this.isClosed) return;
    this.credit += bytes;
    if (this.credit >= this.connection.limits.streamWindow / 2) this.connection.writeCredit(this);
  }

  /** Sends on what waits, as far as the windows allow. */
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
    this.connection.waitsLess(this, sent);
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
    this.endedLocally();
  }

  /** Forgets what waits. */
  close(): void {
    this.isClosed = true;
    if (this.#stall !== undefined) stopTimer(this.#stall);
    if (this.#linger !== undefined) stopTimer(this.#linger);
    if (this.#queued === 0) return;
    const dropped = this.#queued;
    this.#queue = undefined;
    this.#queued = 0;
    this.connection.waitsLess(this, dropped);
  }

  endedLocally(): void {
    this.isLocalEnded = true;
    if (this.isRemoteEnded) this.connection.ended(this);
    else if (this.connection.role === "server") this.#giveUpTheRest();
  }

  /** The answer is complete before its request: nobody reads the rest (RFC 9113, section 8.1). */
  #giveUpTheRest(): void {
    if (!this.lingers) {
      this.reset(ErrorCode.NO_ERROR);
      return;
    }
    this.#linger = new Timer(() => this.reset(ErrorCode.NO_ERROR));
    startTimer(this.#linger, LINGER);
  }

  /** An answer that is complete, and that its peer leaves no window for, is not kept for ever. */
  #watchStall(): void {
    this.#taken = 0;
    this.#stall ??= new Timer(() => this.giveUp());
    startTimer(this.#stall, this.connection.limits.stallTimeoutMs);
  }
}

export { nobody as noConsumer };
