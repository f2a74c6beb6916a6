import { Code, ConnectError } from "@connectrpc/connect";
import type { DispatchedCall, Dispatcher, PendingCall } from "../call/dispatcher.js";
import { canceledBy, lost, withFailure } from "../call/failure.js";
import { onAbort } from "../call/on-abort.js";
import type { Codec } from "../codec/codec.js";
import { errorFor } from "../errors/error.js";
import type { Connection } from "../http2/connection.js";
import { ErrorCode, errorName } from "../http2/errors.js";
import type { Field, HeaderBlock } from "../http2/field.js";
import { type ResponseHead, responseHead, trailerFields } from "../http2/head.js";
import type { ConstantBlock, FieldList } from "../http2/hpack-encoder.js";
import type { Stream, StreamConsumer } from "../http2/stream.js";
import { startTimer, stopTimer, Timer } from "../http2/timers.js";
import { PREFIX, readMessage } from "./frame.js";
import { isWholeMessage, MessageReader, type MessageReceiver } from "./message-reader.js";
import { headersOf } from "./metadata.js";
import type { ClientCompression } from "./method-compression.js";
import { codeOfReset, readStatus } from "./status.js";

/** The parameters of a call. */
export interface CallSetup extends DispatchedCall {
  readonly dispatcher: Dispatcher;
  readonly head: FieldList | ConstantBlock;
  readonly input: Codec;
  readonly output: Codec;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Whether requests are sent compressed. */
  readonly compression: ClientCompression;
  readonly readMaxBytes: number;
}

const grpcType = /^application\/grpc(\+proto)?(;|$)/i;

/** The common part of a client's unary and streaming calls: reads the response, from its first header block to its status. */
export abstract class ClientCall implements StreamConsumer, MessageReceiver, PendingCall {
  error: ConnectError | undefined;
  protected stream: Stream | undefined;
  protected isOver = false;
  protected head: ResponseHead | undefined;
  protected trailers: readonly Field[] | undefined;
  /** Undefined while every DATA frame has been exactly one message. */
  protected reader: MessageReader | undefined;
  /** Whether the call was given to the dispatcher. */
  #isTaken = false;
  #timer: Timer | undefined;
  #deadline = Number.POSITIVE_INFINITY;
  #unlinkSignal: (() => void) | undefined;

  constructor(protected readonly setup: CallSetup) {}

  /** Sends the request. */
  abstract ready(connection: Connection): void;
  abstract received(message: unknown, size: number): void;
  /** Called once if the call has failed. `isLocal`: its caller or its deadline ended it, not the server. */
  protected abstract fail(error: ConnectError, isLocal: boolean): void;
  /** Called once if the call has ended with status OK. */
  protected abstract succeed(): void;
  /** Called when the head of a response that may have messages has arrived. */
  protected abstract responded(): void;
  /** Whether messages wait to be read. The peer gets no more flow-control window then. */
  protected abstract get hasUnread(): boolean;

  start(): void {
    const { dispatcher, signal, timeoutMs } = this.setup;
    if (signal !== undefined) {
      if (signal.aborted) {
        this.end(canceledBy(signal), true);
        return;
      }
      this.#unlinkSignal = onAbort(signal, () => this.aborted(canceledBy(signal)));
    }
    if (timeoutMs !== undefined) {
      this.#timer = new Timer(() => this.end(timedOut(), true));
      this.#deadline = performance.now() + timeoutMs;
      startTimer(this.#timer, timeoutMs);
    }
    this.#isTaken = true;
    dispatcher.take(this, this.setup);
  }

  failed(error: ConnectError): void {
    this.end(error);
  }

  /** Opens the call's stream and sends its headers. */
  protected open(connection: Connection): Stream {
    const stream = connection.open();
    this.stream = stream;
    stream.consumer = this;
    stream.sendHeaders(this.setup.head);
    return stream;
  }

  /** Returns whether a framed request is long enough to be compressed. */
  protected isLong(framed: Uint8Array): boolean {
    const { isGzip, minBytes } = this.setup.compression;
    return isGzip && framed.length - PREFIX >= minBytes;
  }

  // --------------------------------------------------------------------------------------------------------- the response

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
    // gRPC has no use for interim responses (RFC 9110, section 15.2).
    if (head.status < 200) return;
    (this.stream as Stream).hasHeaders = true;
    (this.stream as Stream).expectedLength = head.contentLength;
    this.head = head;
    if (endStream && readStatus(head.fields) !== undefined) {
      this.#ended(head.fields);
      return;
    }
    const fault = faultOf(head);
    if (fault !== undefined) this.end(fault);
    else if (endStream) this.#ended([]);
    else this.responded();
  }

  data(source: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isOver) return;
    const { output, readMaxBytes } = this.setup;
    try {
      if (this.reader === undefined && isWholeMessage(source, start, end, readMaxBytes)) {
        this.received(readMessage(output, source, start + PREFIX, end, Code.Internal), end - start);
      } else {
        this.reader ??= this.newReader();
        this.reader.read(source, start, end);
      }
    } catch (error) {
      this.end(markAnswered(ConnectError.from(error, Code.Internal)));
      return;
    }
    if (this.isOver) return;
    if (endStream) this.#ended([]);
    else if (this.reader === undefined) this.stream?.consumed(end - start);
    else if (!this.hasUnread) this.reader.creditAll();
  }

  protected newReader(): MessageReader {
    const { output, readMaxBytes } = this.setup;
    const isGzip = this.head?.grpcEncoding === "gzip";
    const format = { codec: output, maxBytes: readMaxBytes, malformedCode: Code.Internal, isGzip, unreadable } as const;
    return new MessageReader(this.stream as Stream, format, this);
  }

  expectMessage(): void {}

  #ended(trailers: readonly Field[]): void {
    const status = readStatus(trailers);
    this.trailers = trailers;
    try {
      if (status === null) this.reader?.end();
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
      this.end(withFailure("broken", errorFor("RESPONSE_MALFORMED", "protocol error: missing status")));
      return;
    }
    if (this.head !== undefined && this.head.fields !== trailers) {
      for (const [name, value] of headersOf(this.head.fields)) status.metadata.append(name, value);
    }
    this.end(markAnswered(status));
  }

  /** Returns the headers of the response. */
  responseHeader(): Headers {
    return headersOf(this.head?.fields ?? []);
  }

  /** Returns the trailers of the response. Those of a trailers-only response are its headers. */
  responseTrailer(): Headers {
    return headersOf(this.head?.fields === this.trailers ? [] : (this.trailers ?? []));
  }

  // ------------------------------------------------------------------------------------------------------------- the end

  closed(code: number, cause: Error | undefined): void {
    // The server knows the deadline, too, and may cancel the stream before this side's timer fires.
    if (code === ErrorCode.CANCEL && cause === undefined && performance.now() >= this.#deadline)
      this.end(timedOut(), true);
    else this.end(cause === undefined ? resetError(code) : lost("broken", cause));
  }

  drained(): void {}

  /** Fails the call unless it is over, and resets its stream if the stream is open. */
  protected end(error: ConnectError, isLocal = false): void {
    if (this.isOver) return;
    this.error = error;
    this.release();
    this.fail(error, isLocal);
  }

  /** Called when the caller's signal is aborted. */
  protected aborted(error: ConnectError): void {
    this.end(error, true);
  }

  /** Stops listening to the caller's signal. */
  protected unlinkSignal(): void {
    this.#unlinkSignal?.();
    this.#unlinkSignal = undefined;
  }

  protected release(): void {
    const { stream } = this;
    this.isOver = true;
    if (this.#timer !== undefined) stopTimer(this.#timer);
    if (stream !== undefined && (!stream.isRemoteEnded || !stream.isLocalEnded)) stream.resetPaced(ErrorCode.CANCEL);
    if (this.#isTaken) this.setup.dispatcher.leave(this);
  }
}

/** Returns the error for a head that does not begin a readable gRPC response, or undefined. */
function faultOf({ status, contentType, grpcEncoding, fields }: ResponseHead): ConnectError | undefined {
  if (status !== 200) return markAnswered(new ConnectError(`HTTP ${status}`, codeOfHttp(status), headersOf(fields)));
  if (!grpcType.test(contentType ?? "")) {
    return markAnswered(errorFor("RESPONSE_NOT_GRPC", `unsupported content type ${contentType ?? null}`));
  }
  if (grpcEncoding === undefined || grpcEncoding === "identity" || grpcEncoding === "gzip") return undefined;
  const text = `unsupported response encoding "${grpcEncoding}"`;
  return markAnswered(errorFor("RESPONSE_MALFORMED", text, { metadata: headersOf(fields) }));
}

/** Marks an error as the server's response, by the failure "answered". An invalid response is one, too. */
export function markAnswered(error: ConnectError): ConnectError {
  return withFailure("answered", error);
}

function unreadable(error: unknown): ConnectError {
  return markAnswered(ConnectError.from(error));
}

function timedOut(): ConnectError {
  return withFailure("timeout", errorFor("DEADLINE_EXCEEDED", "the operation timed out"));
}

function malformed(): ConnectError {
  return markAnswered(errorFor("RESPONSE_MALFORMED", "protocol error: a malformed response"));
}

/** Returns the error for a stream that was reset (gRPC over HTTP/2, "Errors"). */
function resetError(code: number): ConnectError {
  const text = `http/2 stream closed with error code ${errorName(code)} (0x${code.toString(16)})`;
  const error = errorFor("STREAM_RESET", text, { code: codeOfReset(code) });
  if (code === ErrorCode.REFUSED_STREAM) return withFailure("refused", error);
  // A server that stops sends CANCEL, as does a proxy that has lost its server. Other codes are the server's response.
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
