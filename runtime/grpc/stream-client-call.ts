import { Code, ConnectError } from "@connectrpc/connect";
import { ofThisCall, withFailure } from "../call/failure.js";
import { errorFor } from "../errors/error.js";
import type { Connection } from "../http2/connection.js";
import type { Stream } from "../http2/stream.js";
import { type CallSetup, ClientCall } from "./client-call.js";
import { frameMessage } from "./frame.js";
import { compressFrame } from "./gzip.js";
import { MessageQueue } from "./message-queue.js";

/** A call with many requests, many responses, or both. */
export class StreamClientCall extends ClientCall {
  readonly responses: MessageQueue;
  #requests: AsyncIterator<unknown> | undefined;
  /** Whether the caller has got the response stream, which then reports the end of the call. */
  #hasBegun = false;

  constructor(
    setup: CallSetup,
    private readonly input: AsyncIterable<unknown>,
    private readonly begun: (call: StreamClientCall) => void,
    private readonly notBegun: (error: ConnectError) => void,
  ) {
    super(setup);
    this.responses = new MessageQueue(
      (size, isEmpty) => (isEmpty ? this.reader?.creditAll() : this.reader?.credit(size)),
      () => this.end(withFailure("canceled", errorFor("CALL_CANCELLED", "the responses are no longer read")), true),
      () => this.unlinkSignal(),
    );
  }

  // ---------------------------------------------------------------------------------------------------------- requests

  ready(connection: Connection): void {
    if (this.isOver) return;
    const stream = this.open(connection);
    try {
      this.#requests = this.input[Symbol.asyncIterator]();
    } catch (error) {
      this.end(ofThisCall(ConnectError.from(error)));
      return;
    }
    this.#pull(stream);
  }

  #pull(stream: Stream): void {
    (this.#requests as AsyncIterator<unknown>).next().then(
      (request) => this.#next(stream, request),
      (error) => this.end(ofThisCall(ConnectError.from(error))),
    );
  }

  #next(stream: Stream, { done, value }: IteratorResult<unknown>): void {
    if (this.isOver) return;
    if (done) {
      stream.end();
      return;
    }
    try {
      const framed = frameMessage(this.setup.input, value);
      if (!this.isLong(framed)) {
        this.#send(stream, framed);
        return;
      }
      compressFrame(framed).then(
        (bytes) => this.#send(stream, bytes),
        (error) => this.end(ConnectError.from(error)),
      );
    } catch (error) {
      this.end(ConnectError.from(error, Code.Internal));
    }
  }

  #send(stream: Stream, framed: Uint8Array): void {
    if (this.isOver) return;
    stream.sendData(framed);
    if (stream.queued === 0) this.#pull(stream);
  }

  override drained(): void {
    if (!this.isOver && this.stream !== undefined && !this.stream.isLocalEnded) this.#pull(this.stream);
  }

  /** Ends the iterator of requests. Does not wait for it. */
  #leaveRequests(): void {
    try {
      this.#requests?.return?.()?.catch(() => undefined);
    } catch {
      // The call is over. An error of the caller's iterator has no effect.
    }
  }

  // --------------------------------------------------------------------------------------------------------- responses

  protected responded(): void {
    this.reader = this.newReader();
    this.#hasBegun = true;
    this.begun(this);
  }

  received(message: unknown, size: number): void {
    this.responses.add(message, size);
  }

  protected get hasUnread(): boolean {
    return !this.responses.isEmpty;
  }

  protected succeed(): void {
    this.#leaveRequests();
    this.responses.finish();
    if (!this.#hasBegun) this.begun(this);
  }

  protected fail(error: ConnectError, isLocal: boolean): void {
    this.#leaveRequests();
    if (isLocal || !this.#hasBegun) this.responses.abort(error);
    else this.responses.finish(error);
    if (this.#hasBegun) return;
    this.unlinkSignal();
    this.notBegun(error);
  }

  /** Drops the unread responses, too. */
  protected override aborted(error: ConnectError): void {
    super.aborted(error);
    this.responses.abort(error);
  }
}
