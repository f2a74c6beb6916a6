import { Code, ConnectError } from "@connectrpc/connect";
import type { DispatchedCall, Dispatcher, PendingCall } from "../call/dispatcher.js";
import { canceledBy, lost, ofThisCall, withFailure } from "../call/failure.js";
import { onAbort } from "../call/on-abort.js";
import type { Codec } from "../codec/codec.js";
import type { Connection } from "../http2/connection.js";
import { ErrorCode, errorName } from "../http2/errors.js";
import type { Field, HeaderBlock } from "../http2/field.js";
import { type ResponseHead, responseHead, trailerFields } from "../http2/head.js";
import type { ConstantBlock, FieldList } from "../http2/hpack-encoder.js";
import type { Stream, StreamConsumer } from "../http2/stream.js";
import { startTimer, stopTimer, Timer } from "../http2/timers.js";
import { Deframer, frameMessage, type MessageTaker, PREFIX, readMessage } from "./frame.js";
import { compressFrame } from "./gzip.js";
import { Inbox } from "./inbox.js";
import { headersOf } from "./metadata.js";
import type { ClientCompression } from "./method-compression.js";
import { readStatus } from "./status.js";
import { unpack } from "./unpack.js";

/** What a call is made of. */
export interface CallSetup extends DispatchedCall {
  readonly dispatcher: Dispatcher;
  readonly head: FieldList | ConstantBlock;
  readonly input: Codec;
  readonly output: Codec;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Whether messages are sent compressed. */
  readonly compression: ClientCompression;
  readonly readMaxBytes: number;
}

const grpcType = /^application\/grpc(\+proto)?(;|$)/i;

/** What the two kinds of calls have in common: the way from the first header block to the status. */
export abstract class ClientCall implements StreamConsumer, MessageTaker, PendingCall {
  error: ConnectError | undefined;
  protected stream: Stream | undefined;
  protected isOver = false;
  protected head: ResponseHead | undefined;
  protected trailers: readonly Field[] | undefined;
  #deframer: Deframer | undefined;
  #isGzip = false;
  #isTaken = false;
  #timer: Timer | undefined;
  #deadline = Number.POSITIVE_INFINITY;
  #unfollow: (() => void) | undefined;

  constructor(protected readonly setup: CallSetup) {}

  /** The call has failed, by this side's own will or for another reason; nothing else is heard of it. */
  protected abstract fail(error: ConnectError, isOwn: boolean): void;
  /** The call has its status: all is well. */
  protected abstract succeed(): void;
  /** A message has arrived; or, if `isLater`, what unpacks it. */
  protected abstract received(message: unknown, size: number, isLater: boolean): void;
  protected abstract send(stream: Stream): void;
  protected onHead(): void {}
  protected onData(_size: number): void {}
  drained(): void {}

  start(): void {
    const { dispatcher, signal, timeoutMs } = this.setup;
    if (signal !== undefined) {
      if (signal.aborted) {
        this.end(canceledBy(signal), true);
        return;
      }
      this.#unfollow = onAbort(signal, () => this.aborted(canceledBy(signal)));
    }
    if (timeoutMs !== undefined) {
      this.#timer = new Timer(() => this.end(timedOut(), true));
      this.#deadline = performance.now() + timeoutMs;
      startTimer(this.#timer, timeoutMs);
    }
    this.#isTaken = true;
    dispatcher.take(this, this.setup);
  }

  ready(connection: Connection): void {
    if (this.isOver) return;
    const stream = connection.open();
    this.stream = stream;
    stream.consumer = this;
    stream.sendHeaders(this.setup.head);
    this.send(stream);
  }

  failed(error: ConnectError): void {
    this.end(error);
  }

  headers(block: HeaderBlock, endStream: boolean): void {
    if (this.isOver) return;
    if (this.head !== undefined) {
      const trailers = trailerFields(block);
      if (trailers === undefined) this.end(malformed());
      else this.#ended(trailers);
      return;
    }
    const head = responseHead(block);
    if (head === undefined || (head.status < 200 && endStream)) {
      this.end(malformed());
      return;
    }
    // Interim responses say nothing here (RFC 9110, section 15.2).
    if (head.status < 200) return;
    (this.stream as Stream).hasHeaders = true;
    (this.stream as Stream).expectedLength = head.contentLength;
    this.head = head;
    if (endStream && readStatus(head.fields) !== undefined) {
      this.#ended(head.fields);
      return;
    }
    const fault = this.#headFault(head);
    if (fault !== undefined) this.end(fault);
    else if (endStream) this.#ended([]);
    else this.onHead();
  }

  #headFault({ status, contentType, grpcEncoding, fields }: ResponseHead): ConnectError | undefined {
    if (status !== 200) return answered(new ConnectError(`HTTP ${status}`, codeOfHttp(status), headersOf(fields)));
    if (!grpcType.test(contentType ?? "")) {
      return answered(new ConnectError(`unsupported content type ${contentType ?? null}`, Code.Unknown));
    }
    if (grpcEncoding !== undefined && grpcEncoding !== "identity") {
      if (grpcEncoding !== "gzip") {
        const text = `unsupported response encoding "${grpcEncoding}"`;
        return answered(new ConnectError(text, Code.Internal, headersOf(fields)));
      }
      this.#isGzip = true;
    }
    return undefined;
  }

  data(source: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isOver) return;
    try {
      // Almost always: one message, whole.
      if (
        this.#deframer === undefined &&
        end - start >= PREFIX &&
        source[start] === 0 &&
        source.readUInt32BE(start + 1) === end - start - PREFIX &&
        end - start - PREFIX <= this.setup.readMaxBytes
      ) {
        this.message(source, start + PREFIX, end, false);
      } else {
        this.#deframer ??= new Deframer(this.setup.readMaxBytes, Code.Internal);
        this.#deframer.read(source, start, end, this);
      }
    } catch (error) {
      this.end(answered(ConnectError.from(error, Code.Internal)));
      return;
    }
    if (this.isOver) return;
    if (endStream) this.#ended([]);
    else this.onData(end - start);
  }

  message(source: Uint8Array, start: number, end: number, isCompressed: boolean): void {
    const { output, readMaxBytes } = this.setup;
    if (isCompressed && !this.#isGzip) {
      throw new ConnectError("protocol error: received a compressed message without grpc-encoding", Code.Internal);
    }
    let message: unknown;
    if (isCompressed) {
      const packed = new Uint8Array(source.subarray(start, end));
      message = () => unpackMessage(output, packed, readMaxBytes);
    } else message = readMessage(output, source, start, end, Code.Internal);
    this.received(message, PREFIX + end - start, isCompressed);
  }

  #ended(trailers: readonly Field[]): void {
    const status = readStatus(trailers);
    this.trailers = trailers;
    try {
      if (status === null) this.#deframer?.end();
    } catch (error) {
      this.end(withFailure("broken", ConnectError.from(error)));
      return;
    }
    if (status === null) {
      this.release();
      this.succeed();
      return;
    }
    if (status === undefined) {
      this.end(withFailure("broken", new ConnectError("protocol error: missing status", Code.Internal)));
      return;
    }
    if (this.head !== undefined && this.head.fields !== trailers) {
      for (const [name, value] of headersOf(this.head.fields)) status.metadata.append(name, value);
    }
    this.end(answered(status));
  }

  closed(code: number, cause: Error | undefined): void {
    // The peer knows the deadline too, and may be the first to see that it has passed.
    if (code === ErrorCode.CANCEL && cause === undefined && performance.now() >= this.#deadline)
      this.end(timedOut(), true);
    else this.end(cause === undefined ? resetError(code) : lost("broken", cause));
  }

  /** Ends the call with an error, if it is not over; the peer is told that nobody waits for it any more. */
  protected end(error: ConnectError, isOwn = false): void {
    if (this.isOver) return;
    this.error = error;
    this.release();
    this.fail(error, isOwn);
  }

  /** The caller's signal was aborted. */
  protected aborted(error: ConnectError): void {
    this.end(error, true);
  }

  /** Nothing is left that the caller's signal could end. */
  protected unlink(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
  }

  protected release(): void {
    const { stream } = this;
    this.isOver = true;
    if (this.#timer !== undefined) stopTimer(this.#timer);
    this.#deframer = undefined;
    if (stream !== undefined && (!stream.isRemoteEnded || !stream.isLocalEnded)) stream.resetPaced(ErrorCode.CANCEL);
    if (this.#isTaken) this.setup.dispatcher.leave(this);
  }

  /** What Connect calls the response's header and trailer, for those who ask. */
  responseHeader(): Headers {
    return headersOf(this.head?.fields ?? []);
  }

  responseTrailer(): Headers {
    return headersOf(this.head?.fields === this.trailers ? [] : (this.trailers ?? []));
  }

  protected isLong(framed: Uint8Array): boolean {
    const { isGzip, minBytes } = this.setup.compression;
    return isGzip && framed.length - PREFIX >= minBytes;
  }
}

/** One request, one answer. */
export class UnaryClientCall extends ClientCall {
  #answer: unknown;
  #hasAnswer = false;
  #isLater = false;

  constructor(
    setup: CallSetup,
    private readonly request: unknown,
    private readonly resolve: (message: unknown, call: ClientCall) => void,
    private readonly reject: (error: ConnectError) => void,
  ) {
    super(setup);
  }

  override ready(connection: Connection): void {
    if (this.isOver) return;
    let framed: Uint8Array;
    try {
      framed = frameMessage(this.setup.input, this.request);
    } catch (error) {
      this.end(ConnectError.from(error, Code.Internal));
      return;
    }
    const stream = connection.open();
    this.stream = stream;
    stream.consumer = this;
    stream.sendHeaders(this.setup.head);
    if (!this.isLong(framed)) {
      stream.sendLastData(framed);
      return;
    }
    compressFrame(framed).then(
      (bytes) => stream.sendLastData(bytes),
      (error) => this.end(ConnectError.from(error)),
    );
  }

  protected send(): void {}

  protected received(message: unknown, _size: number, isLater: boolean): void {
    if (this.#hasAnswer) {
      throw new ConnectError("protocol error: received extra output message for unary method", Code.Unimplemented);
    }
    this.#hasAnswer = true;
    this.#answer = message;
    this.#isLater = isLater;
  }

  protected override onData(size: number): void {
    this.stream?.consumed(size);
  }

  protected override release(): void {
    super.release();
    this.unlink();
  }

  protected succeed(): void {
    if (!this.#hasAnswer) {
      const text = "protocol error: missing output message for unary method";
      this.reject(answered(new ConnectError(text, Code.Unimplemented, this.responseTrailer())));
    } else if (this.#isLater) {
      (this.#answer as () => Promise<unknown>)().then((message) => this.resolve(message, this), this.reject);
    } else this.resolve(this.#answer, this);
  }

  protected fail(error: ConnectError): void {
    this.reject(error);
  }
}

/** Many requests, or many answers, or both. */
export class StreamClientCall extends ClientCall {
  readonly inbox: Inbox;
  #uncredited = 0;
  #requests: AsyncIterator<unknown> | undefined;
  #hasHead = false;

  constructor(
    setup: CallSetup,
    private readonly input: AsyncIterable<unknown>,
    private readonly begun: (call: StreamClientCall) => void,
    private readonly notBegun: (error: ConnectError) => void,
  ) {
    super(setup);
    this.inbox = new Inbox(
      (size, isEmpty) => this.#credit(isEmpty ? this.#uncredited : Math.min(size, this.#uncredited)),
      () => this.end(withFailure("canceled", new ConnectError("the answers are no longer read", Code.Canceled)), true),
      () => this.unlink(),
    );
  }

  protected send(stream: Stream): void {
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
        this.#sendFrame(stream, framed);
        return;
      }
      compressFrame(framed).then(
        (bytes) => this.#sendFrame(stream, bytes),
        (error) => this.end(ConnectError.from(error)),
      );
    } catch (error) {
      this.end(ConnectError.from(error, Code.Internal));
    }
  }

  #sendFrame(stream: Stream, framed: Uint8Array): void {
    if (this.isOver) return;
    stream.sendData(framed);
    if (stream.queued === 0) this.#pull(stream);
  }

  override drained(): void {
    if (!this.isOver && this.stream !== undefined && !this.stream.isLocalEnded) this.#pull(this.stream);
  }

  protected override onHead(): void {
    this.#hasHead = true;
    this.begun(this);
  }

  protected received(message: unknown, size: number, isLater: boolean): void {
    this.inbox.add(message, size, isLater);
  }

  protected override onData(size: number): void {
    this.#uncredited += size;
    if (this.inbox.isEmpty) this.#credit(this.#uncredited);
  }

  #credit(bytes: number): void {
    this.#uncredited -= bytes;
    if (bytes > 0) this.stream?.consumed(bytes);
  }

  protected succeed(): void {
    this.#leaveRequests();
    this.inbox.finish();
    if (!this.#hasHead) this.begun(this);
  }

  protected fail(error: ConnectError, isOwn: boolean): void {
    this.#leaveRequests();
    if (isOwn || !this.#hasHead) this.inbox.abort(error);
    else this.inbox.finish(error);
    if (this.#hasHead) return;
    this.unlink();
    this.notBegun(error);
  }

  /** Answers that have arrived, but were not read yet, are not wanted any more either. */
  protected override aborted(error: ConnectError): void {
    super.aborted(error);
    this.inbox.abort(error);
  }

  /** Whoever makes the requests is told that no more are needed. It is not waited for. */
  #leaveRequests(): void {
    try {
      this.#requests?.return?.()?.catch(() => undefined);
    } catch {
      // Its own mistake: the call is over.
    }
  }
}

async function unpackMessage(output: Codec, packed: Uint8Array, readMaxBytes: number): Promise<unknown> {
  try {
    const whole = await unpack("gzip", packed, readMaxBytes, Code.Internal);
    return readMessage(output, whole, 0, whole.length, Code.Internal);
  } catch (error) {
    throw answered(ConnectError.from(error));
  }
}

function answered(error: ConnectError): ConnectError {
  return withFailure("answered", error);
}

function timedOut(): ConnectError {
  return withFailure("timeout", new ConnectError("the operation timed out", Code.DeadlineExceeded));
}

function malformed(): ConnectError {
  return answered(new ConnectError("protocol error: a malformed response", Code.Internal));
}

/** gRPC over HTTP/2, "Errors". */
function resetError(code: number): ConnectError {
  const codes: Readonly<Record<number, Code>> = {
    [ErrorCode.REFUSED_STREAM]: Code.Unavailable,
    [ErrorCode.CANCEL]: Code.Canceled,
    [ErrorCode.ENHANCE_YOUR_CALM]: Code.ResourceExhausted,
    [ErrorCode.INADEQUATE_SECURITY]: Code.PermissionDenied,
  };
  const text = `http/2 stream closed with error code ${errorName(code)} (0x${code.toString(16)})`;
  const error = new ConnectError(text, codes[code] ?? Code.Internal);
  if (code === ErrorCode.REFUSED_STREAM) return withFailure("refused", error);
  // A server that ends, or a proxy that loses one, cancels. Every other code is the server's own word.
  return withFailure(code === ErrorCode.CANCEL ? "broken" : "answered", error);
}

/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
function codeOfHttp(status: number): Code {
  const codes: Readonly<Record<number, Code>> = {
    400: Code.Internal,
    401: Code.Unauthenticated,
    403: Code.PermissionDenied,
    404: Code.Unimplemented,
    429: Code.Unavailable,
    502: Code.Unavailable,
    503: Code.Unavailable,
    504: Code.Unavailable,
  };
  return codes[status] ?? Code.Unknown;
}
