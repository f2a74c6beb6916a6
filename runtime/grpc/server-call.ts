import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { IncomingCall, pathOf } from "../call/incoming-call.js";
import { onAbort } from "../call/on-abort.js";
import { errorFor } from "../errors/error.js";
import { ErrorCode } from "../http2/errors.js";
import type { HeaderBlock } from "../http2/field.js";
import { FRAME_SIZE } from "../http2/frames.js";
import type { RequestHead } from "../http2/head.js";
import { trailerFields } from "../http2/head.js";
import type { Stream, StreamConsumer } from "../http2/stream.js";
import { startTimer, stopTimer, Timer } from "../http2/timers.js";
import { frameMessage, PREFIX, readMessage } from "./frame.js";
import { acceptsGzip, compressFrame } from "./gzip.js";
import { IncompleteMessage, type IncompleteMessages } from "./incomplete-messages.js";
import { MessageQueue } from "./message-queue.js";
import { isWholeMessage, MessageReader, type MessageReceiver } from "./message-reader.js";
import { headersOf } from "./metadata.js";
import { errorFields, gzipHead, headFields, identityHead, okFields, okTrailers } from "./response-fields.js";
import { ResponseStream, type ResponseStreamCall } from "./response-stream.js";
import type { Route } from "./route.js";
import { parseTimeout } from "./timeout.js";
import { UnreadMessage } from "./unread-message.js";

/** The reason of calls that have ended normally. It is shared, because a stack trace per call would be expensive. */
const callIsOver = errorFor("CALL_CANCELLED", "the call is over");

/** The state that the calls of one connection share. */
export interface ConnectionCalls {
  /** The number of running handlers, including those of calls that are over. */
  running: number;
  readonly incomplete: IncompleteMessages;
  readonly maxRunning: number;
  /** The calls that began in the current chunk of the connection, and whose requests may be complete at its end. */
  readonly begun: ServerCall[];
}

/**
 * One gRPC call on the server (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), from its headers to its
 * trailers. It is also the context of its handler, so that a unary call needs only one object.
 */
export class ServerCall
  extends IncomingCall
  implements HandlerContext, StreamConsumer, MessageReceiver, ResponseStreamCall
{
  deadline: number | undefined = undefined;
  /** "read": the whole request has arrived. "over": the status has been sent, or the caller has cancelled the call. */
  #state: "reading" | "read" | "over" = "reading";
  /** Whether the handler runs. It may still run when its call is over. */
  #isRunning = false;
  // The request.
  /** Undefined for a body of exactly one DATA frame and one message. */
  #reader: MessageReader | undefined;
  /** The requests of a client-streaming or bidirectional method. */
  #requests: MessageQueue | undefined;
  #incomplete: IncompleteMessage | undefined;
  // The response.
  /** The responses of a server-streaming or bidirectional method. */
  #responses: ResponseStream | undefined;
  #hasSentHead = false;
  #sendsGzip = false;
  /** The size of a long response in bytes, as announced to the connection's backlog. */
  #expected = 0;
  // The end.
  #timer: Timer | undefined;
  /** The deadline by the monotonic clock, which does not change when the system's clock is set. */
  #expiresAt = 0;
  #unlinkSignal: (() => void) | undefined;
  /** Removes the call from the backlog, which delays its handler. */
  #unhold: (() => void) | undefined;
  #reason: ConnectError = callIsOver;
  // Objects that are created on access.
  #controller: AbortController | undefined;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;

  constructor(
    private readonly stream: Stream,
    private readonly route: Route,
    private readonly head: RequestHead,
    private readonly calls: ConnectionCalls,
  ) {
    super();
  }

  /** Starts the call. Fails it if its timeout is invalid. */
  start(endStream: boolean): void {
    const { head, route } = this;
    if (head.grpcTimeout !== undefined) {
      const timeoutMs = parseTimeout(head.grpcTimeout);
      if (timeoutMs === undefined) {
        const text = `protocol error: invalid grpc timeout value: ${head.grpcTimeout}`;
        this.#fail(errorFor("REQUEST_MALFORMED", text));
        return;
      }
      this.limit(timeoutMs);
    }
    const { methodKind } = route.method;
    if (methodKind === "client_streaming" || methodKind === "bidi_streaming") {
      const reader = this.#newReader();
      const requests = new MessageQueue(
        (size, isEmpty) => (isEmpty ? reader.creditAll() : reader.credit(size)),
        () => reader.creditAll(),
      );
      this.#reader = reader;
      this.#requests = requests;
      this.#invoke(requests);
      if (endStream) requests.finish();
    } else if (endStream) this.#requestEnded();
    else this.calls.begun.push(this);
  }

  /** Starts the timeout of a request that is incomplete at the end of the chunk in which it began. Most requests are complete. */
  awaitRest(): void {
    if (this.#state === "reading") this.#keep(this.#reader?.held ?? 0);
  }

  // --------------------------------------------------------------------------------------------------------- the request

  data(source: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.#state === "over") return;
    const { route } = this;
    try {
      if (endStream && this.#reader === undefined && isWholeMessage(source, start, end, route.readMaxBytes)) {
        this.request = readMessage(route.input, source, start + PREFIX, end, Code.InvalidArgument);
        this.#requestEnded();
        return;
      }
      this.#reader ??= this.#newReader();
      this.#reader.read(source, start, end);
      if (endStream) this.#reader.end();
    } catch (error) {
      this.#fail(ConnectError.from(error));
      return;
    }
    if (this.isOver) return;
    if (endStream) {
      this.#requestEnded();
      return;
    }
    const { held } = this.#reader;
    if (held > 0) this.#keep(held);
    if (this.isOver) return;
    // An incomplete message needs more flow-control window. A complete one keeps its window until it is read.
    if (this.#requests === undefined || this.#requests.isEmpty) this.#reader.creditAll();
  }

  headers(block: HeaderBlock, _endStream: boolean): void {
    if (trailerFields(block) === undefined) {
      this.stream.refuse(ErrorCode.PROTOCOL_ERROR);
      this.closed(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    // gRPC has no request trailers, but a header block that ends the stream ends the request.
    if (this.isOver) return;
    try {
      this.#reader?.end();
    } catch (error) {
      this.#fail(ConnectError.from(error));
      return;
    }
    this.#requestEnded();
  }

  #newReader(): MessageReader {
    const { input, readMaxBytes } = this.route;
    const format = {
      codec: input,
      maxBytes: readMaxBytes,
      malformedCode: Code.InvalidArgument,
      isGzip: this.#takesGzip,
      unreadable,
    } as const;
    return new MessageReader(this.stream, format, this);
  }

  expectMessage(): void {
    if (this.#requests !== undefined || this.request === undefined) return;
    throw errorFor("MESSAGE_COUNT_WRONG", "protocol error: received extra input message for unary method");
  }

  received(message: unknown, size: number): void {
    if (this.#requests === undefined) {
      this.request = message;
      return;
    }
    this.#incomplete?.end();
    this.#requests.add(message, size);
  }

  /** Called when the caller has sent the whole request. */
  #requestEnded(): void {
    this.#state = "read";
    this.#incomplete?.end();
    if (this.#requests !== undefined) {
      this.#requests.finish();
      return;
    }
    const { request } = this;
    // `instanceof` is checked only with a reader, because nothing else creates an UnreadMessage.
    if (request === undefined) {
      const text = "protocol error: missing input message for unary method";
      this.#fail(errorFor("MESSAGE_COUNT_WRONG", text));
    } else if (this.#reader !== undefined && request instanceof UnreadMessage) {
      request.read().then(
        (message) => this.#invoke(message),
        (error) => this.#fail(error),
      );
    } else this.#invoke(request);
  }

  /** Bounds the memory and the time of an incomplete message. `bytes` is the number of buffered bytes. */
  #keep(bytes: number): void {
    this.#incomplete ??= new IncompleteMessage(this.calls.incomplete, (error) => this.#fail(error));
    this.#incomplete.keep(bytes);
  }

  // --------------------------------------------------------------------------------------------------------- the handler

  #invoke(request: unknown): void {
    if (this.isOver) return;
    if (this.deadline !== undefined && this.#expiresAt <= performance.now()) {
      this.#expire();
      return;
    }
    const { backlog } = this.stream.connection;
    const { expected } = this.route.responseSize;
    if (backlog.isFull(expected)) {
      this.#unhold = backlog.hold(
        expected,
        () => this.#begin(request),
        () => this.#refuse(),
      );
    } else this.#begin(request);
  }

  /** Refuses a call whose handler has not started. REFUSED_STREAM tells the caller that a retry is safe. */
  #refuse(): void {
    this.#over(callIsOver);
    this.stream.refuse(ErrorCode.REFUSED_STREAM);
  }

  #begin(request: unknown): void {
    const { calls, route, stream } = this;
    if (calls.running >= calls.maxRunning) {
      // The handlers of closed streams count, too: otherwise a peer could start any number of them (CVE-2023-44487).
      this.#refuse();
      return;
    }
    this.#isRunning = true;
    calls.running++;
    const { expected } = route.responseSize;
    if (expected > 0) {
      this.#expected = expected;
      stream.connection.backlog.expect(expected);
    }
    let result: unknown;
    try {
      result = route.implementation(request, this);
    } catch (error) {
      this.failed(error);
      return;
    }
    const { methodKind } = route.method;
    if (methodKind === "server_streaming" || methodKind === "bidi_streaming") {
      try {
        const responses = (result as AsyncIterable<unknown>)[Symbol.asyncIterator]();
        this.#responses = new ResponseStream(responses, stream.connection.backlog, this);
      } catch (error) {
        this.failed(error);
        return;
      }
      if (this.isOver) this.#responses.leave();
      else this.#responses.pull();
    } else if (typeof (result as Promise<unknown> | undefined)?.then === "function") {
      (result as Promise<unknown>).then(
        (message) => this.#respond(message),
        (error) => this.failed(error),
      );
    } else this.#respond(result);
  }

  failed(error: unknown): void {
    this.stopped();
    if (!this.isOver) this.#fail(this.explain(error));
  }

  stopped(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.calls.running--;
    if (this.#expected > 0) {
      this.stream.connection.backlog.expect(-this.#expected);
      this.#expected = 0;
    }
  }

  // -------------------------------------------------------------------------------------------------------- the response

  /** Sends the response of a method with one response. */
  #respond(message: unknown): void {
    this.stopped();
    if (this.isOver) return;
    if (this.stream.connection.backlog.isOverfull) {
      this.#fail(overfull());
      return;
    }
    try {
      const framed = frameMessage(this.route.output, message);
      if (framed.length > FRAME_SIZE || this.#expected > 0) this.route.responseSize.learn(framed.length);
      if (this.#isWorthGzip(framed)) {
        this.#sendsGzip = true;
        compressFrame(framed).then(
          (bytes) => this.finish(bytes),
          (error) => this.#fail(ConnectError.from(error, Code.Internal)),
        );
      } else this.finish(framed);
    } catch (error) {
      this.#fail(this.explain(error));
    }
  }

  /** Sends one response of a response stream. */
  send(response: unknown): void {
    if (this.stream.connection.backlog.isOverfull) {
      this.#fail(overfull());
      return;
    }
    try {
      const framed = frameMessage(this.route.output, response);
      if (!this.#canKeep(framed)) throw overfull();
      if (!this.#hasSentHead) {
        // The head is sent with the first response, and announces the encoding of all later ones.
        this.#sendsGzip = this.route.compressMinBytes < Number.POSITIVE_INFINITY && this.#acceptsGzip();
        this.#sendHead();
      }
      if (this.#sendsGzip && this.#isWorthGzip(framed)) {
        compressFrame(framed).then(
          (bytes) => this.#sendFramed(bytes),
          (error) => this.#fail(ConnectError.from(error, Code.Internal)),
        );
      } else this.#sendFramed(framed);
    } catch (error) {
      this.#fail(this.explain(error));
    }
  }

  #sendFramed(framed: Uint8Array): void {
    if (this.isOver) return;
    this.stream.sendData(framed);
    this.#responses?.sent(this.stream.queued > 0);
  }

  drained(): void {
    if (!this.isOver) this.#responses?.drained();
  }

  /** Sends the response, if one is given, and status OK. */
  finish(framed?: Uint8Array): void {
    if (this.isOver) return;
    if (framed !== undefined && !this.#canKeep(framed)) {
      this.#fail(overfull());
      return;
    }
    this.#over(callIsOver);
    this.#sendHead();
    if (framed !== undefined) this.stream.sendData(framed);
    this.stream.end(this.#responseTrailer === undefined ? okTrailers : okFields(this.#responseTrailer));
  }

  /** Sends an error as the call's status: as a "Trailers-Only" response if there are no headers and messages before it. */
  #fail(error: ConnectError): void {
    if (this.isOver) return;
    this.#over(error);
    const isOnly =
      !this.#hasSentHead && (this.#responseHeader === undefined || this.#responseHeader.keys().next().done === true);
    const fields = errorFields(error, isOnly, this.#responseTrailer);
    if (isOnly) {
      this.stream.sendHeaders(fields, true);
      return;
    }
    this.#sendHead();
    this.stream.end(fields);
  }

  #sendHead(): void {
    if (this.#hasSentHead) return;
    this.#hasSentHead = true;
    if (this.#responseHeader === undefined && !this.#takesGzip) {
      this.stream.sendHeaders(this.#sendsGzip ? gzipHead : identityHead);
    } else this.stream.sendHeaders(headFields(this.#takesGzip, this.#sendsGzip, this.#responseHeader));
  }

  /** Whether requests may be compressed. */
  get #takesGzip(): boolean {
    return this.head.grpcEncoding === "gzip";
  }

  #acceptsGzip(): boolean {
    return this.#takesGzip || acceptsGzip(this.head.grpcAcceptEncoding);
  }

  /** Returns whether a response is long enough to be compressed, and the caller accepts gzip. */
  #isWorthGzip({ length }: Uint8Array): boolean {
    return length - PREFIX >= this.route.compressMinBytes && this.#acceptsGzip();
  }

  /** Returns whether a response can be sent at once, or be buffered within the limits of the process. */
  #canKeep({ length }: Uint8Array): boolean {
    const { connection } = this.stream;
    return length <= FRAME_SIZE || length <= connection.room(this.stream) || connection.backlog.takes(length);
  }

  // ------------------------------------------------------------------------------------------------------------- the end

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Called when the caller has cancelled the call, or the connection has closed. */
  closed(code: number, cause?: Error): void {
    if (this.isOver) return;
    this.#over(errorFor("CALL_CANCELLED", cause?.message ?? `the caller left (HTTP/2 error ${code})`));
  }

  /** Fails the call because the process stops. */
  abort(error: ConnectError): void {
    this.#fail(error);
  }

  #over(reason: ConnectError): void {
    const isReading = this.#state === "reading";
    this.#state = "over";
    this.#reason = reason;
    if (this.#timer !== undefined) stopTimer(this.#timer);
    this.#incomplete?.end();
    this.#reader = undefined;
    this.#unlinkSignal?.();
    this.#unhold?.();
    this.#controller?.abort(reason);
    if (reason !== callIsOver) this.cancelled?.(reason);
    if (isReading) this.#requests?.abort(reason);
    if (this.#isRunning) this.#responses?.leave();
  }

  #expire(): void {
    this.#fail(errorFor("DEADLINE_EXCEEDED", `${pathOf(this.route.method)} did not answer in time`));
  }

  limit(timeoutMs: number): void {
    const expiresAt = performance.now() + timeoutMs;
    if (this.isOver || (this.deadline !== undefined && this.#expiresAt <= expiresAt)) return;
    this.#expiresAt = expiresAt;
    this.deadline = Date.now() + timeoutMs;
    this.#timer ??= new Timer(() => this.#expire());
    startTimer(this.#timer, timeoutMs);
  }

  endWith(signal: AbortSignal, error: () => ConnectError): void {
    if (this.isOver) return;
    if (signal.aborted) {
      this.#fail(error());
      return;
    }
    this.#unlinkSignal = onAbort(signal, () => this.#fail(error()));
  }

  // --------------------------------------------------------------------------------------------------------- the context

  get method(): DescMethod {
    return this.route.method;
  }

  get service(): DescService {
    return this.route.method.parent;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.isOver) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get timeoutMs(): () => number | undefined {
    return () => (this.deadline === undefined ? undefined : this.#expiresAt - performance.now());
  }

  get requestMethod(): string {
    return this.head.method;
  }

  get protocolName(): string {
    return "grpc";
  }

  get url(): string {
    return `${this.head.scheme}://${this.head.authority}${this.head.path}`;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= headersOf(this.head.fields);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  header(name: string): string | undefined {
    for (const field of this.head.fields) if (field.name === name) return field.value;
    return undefined;
  }
}

function unreadable(error: unknown): ConnectError {
  return ConnectError.from(error);
}

/** Returns the error for a caller that does not read its earlier responses, of which no more can be buffered. */
function overfull(): ConnectError {
  return errorFor("RESPONSES_NOT_READ", "too many responses wait to be read on this connection");
}
