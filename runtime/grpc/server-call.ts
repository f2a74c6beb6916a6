import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { IncomingCall, pathOf } from "../call/incoming-call.js";
import { onAbort } from "../call/on-abort.js";
import { ErrorCode } from "../http2/errors.js";
import type { HeaderBlock } from "../http2/field.js";
import { FRAME_SIZE } from "../http2/frames.js";
import type { RequestHead } from "../http2/head.js";
import { trailerFields } from "../http2/head.js";
import { ConstantBlock } from "../http2/hpack-encoder.js";
import type { Stream, StreamConsumer } from "../http2/stream.js";
import { startTimer, stopTimer, Timer } from "../http2/timers.js";
import { Deframer, frameMessage, type MessageTaker, PREFIX, readMessage } from "./frame.js";
import { acceptedEncodings, acceptsGzip, compressFrame } from "./gzip.js";
import { Inbox } from "./inbox.js";
import { IncompleteMessage, type IncompleteMessages } from "./incomplete.js";
import { appendMetadata, headersOf } from "./metadata.js";
import type { Route } from "./route.js";
import { appendStatus } from "./status.js";
import { parseTimeout } from "./timeout.js";
import { unpack } from "./unpack.js";

const CONTENT_TYPE = "application/grpc+proto";
const answerHead = new ConstantBlock([":status", "200", "content-type", CONTENT_TYPE]);
const gzipHead = new ConstantBlock([":status", "200", "content-type", CONTENT_TYPE, "grpc-encoding", "gzip"]);
const answerTrailers = new ConstantBlock(["grpc-status", "0"]);

/** Made once: a reason of its own, with a stack, is what would cost most in ending a call. */
const callIsOver = new ConnectError("the call is over", Code.Canceled);

/** What the calls of one connection share. */
export interface Peer {
  /** How many handlers run for it; those whose call is over, but that have not stopped, count as well. */
  running: number;
  readonly incomplete: IncompleteMessages;
  readonly maxRunning: number;
  /** Calls that began in what is being read, and may end in it. */
  readonly begun: ServerCall[];
}

/**
 * One gRPC call (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), from its headers to its trailers, and
 * the context that its handler gets. A call with one request and one answer makes nothing but itself.
 */
export class ServerCall extends IncomingCall implements HandlerContext, StreamConsumer, MessageTaker {
  deadline: number | undefined = undefined;

  /** Nothing more is to be said: the status is sent, or the caller is gone. */
  #isOver = false;
  /** Whether requests may be compressed; and answers. */
  #isGzip = false;
  #answersGzip = false;
  #hasHead = false;
  #deframer: Deframer | undefined;
  #incomplete: IncompleteMessage | undefined;
  #timer: Timer | undefined;
  /** The deadline by the monotonic clock: a system clock that is set anew ends no call. */
  #expiresAt = 0;
  // One request.
  #hasRequest = false;
  #isLater = false;
  #isComplete = false;
  // Many requests.
  #inbox: Inbox | undefined;
  #uncredited = 0;
  // Many answers.
  #answers: AsyncIterator<unknown> | undefined;
  #isPulling = false;
  #isFull = false;
  #isRunning = false;
  #expected = 0;
  // What is made when someone asks.
  #controller: AbortController | undefined;
  #reason: unknown = callIsOver;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;
  #unlink: (() => void) | undefined;
  #unhold: (() => void) | undefined;

  constructor(
    private readonly stream: Stream,
    private readonly route: Route,
    private readonly head: RequestHead,
    private readonly peer: Peer,
  ) {
    super();
  }

  /** Takes the call in: all that can be wrong with its headers is told now. */
  start(endStream: boolean): void {
    const { head, route } = this;
    this.#isGzip = head.grpcEncoding === "gzip";
    if (head.grpcTimeout !== undefined) {
      const timeoutMs = parseTimeout(head.grpcTimeout);
      if (timeoutMs === undefined) {
        const text = `protocol error: invalid grpc timeout value: ${head.grpcTimeout}`;
        this.#fail(new ConnectError(text, Code.InvalidArgument));
        return;
      }
      this.limit(timeoutMs);
    }
    const { methodKind } = route.method;
    if (methodKind === "client_streaming" || methodKind === "bidi_streaming") {
      const inbox = new Inbox(
        (size, isEmpty) => this.#credit(size, isEmpty),
        () => this.#credit(0, true),
      );
      this.#inbox = inbox;
      this.#invoke(inbox);
      if (endStream) inbox.finish();
    } else if (endStream) this.#ended();
    else this.peer.begun.push(this);
  }

  /** What has arrived is read. A request that is not all there, as almost every one is, may not take for ever. */
  awaitRest(): void {
    if (!this.#isComplete && !this.#isOver) this.#keep(this.#deframer?.held ?? 0);
  }

  // --------------------------------------------------------------------------------------------------------- the request

  data(source: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.#isOver) return;
    try {
      // What almost every call looks like: one message, in one frame.
      if (
        endStream &&
        this.#deframer === undefined &&
        this.#inbox === undefined &&
        end - start >= PREFIX &&
        source[start] === 0 &&
        source.readUInt32BE(start + 1) === end - start - PREFIX &&
        end - start - PREFIX <= this.route.readMaxBytes
      ) {
        this.message(source, start + PREFIX, end, false);
        this.#ended();
        return;
      }
      this.#deframer ??= new Deframer(this.route.readMaxBytes, Code.InvalidArgument);
      this.#uncredited += end - start;
      this.#deframer.read(source, start, end, this);
      if (endStream) this.#deframer.end();
    } catch (error) {
      this.#fail(ConnectError.from(error));
      return;
    }
    if (this.#isOver) return;
    if (endStream) {
      this.#ended();
      return;
    }
    const { held } = this.#deframer;
    if (held > 0) this.#keep(held);
    if (this.#isOver) return;
    // Of a message that is not complete more must come; others wait until they are read.
    if (this.#inbox === undefined || this.#inbox.isEmpty) this.#credit(0, true);
  }

  headers(block: HeaderBlock, _endStream: boolean): void {
    if (trailerFields(block) === undefined) {
      this.stream.refuse(ErrorCode.PROTOCOL_ERROR);
      this.closed(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    // Trailers of a request say nothing in gRPC, but end it.
    if (this.#isOver) return;
    try {
      this.#deframer?.end();
    } catch (error) {
      this.#fail(ConnectError.from(error));
      return;
    }
    this.#ended();
  }

  message(source: Uint8Array, start: number, end: number, isCompressed: boolean): void {
    const { input, readMaxBytes } = this.route;
    if (this.#inbox === undefined && this.#hasRequest) {
      throw new ConnectError("protocol error: received extra input message for unary method", Code.Unimplemented);
    }
    if (isCompressed && !this.#isGzip) {
      throw new ConnectError("protocol error: received a compressed message without grpc-encoding", Code.Internal);
    }
    let message: unknown;
    if (isCompressed) {
      const packed = new Uint8Array(source.subarray(start, end));
      // Unpacked when it is asked for: what waits takes no more room than its caller's window.
      message = async () => {
        const whole = await unpack("gzip", packed, readMaxBytes, Code.InvalidArgument);
        return readMessage(input, whole, 0, whole.length, Code.InvalidArgument);
      };
    } else message = readMessage(input, source, start, end, Code.InvalidArgument);
    if (this.#inbox !== undefined) {
      this.#incomplete?.end();
      this.#inbox.add(message, PREFIX + end - start, isCompressed);
      return;
    }
    this.request = message;
    this.#hasRequest = true;
    this.#isLater = isCompressed;
  }

  /** The caller has sent all that it sends. */
  #ended(): void {
    this.#isComplete = true;
    this.#incomplete?.end();
    if (this.#inbox !== undefined) {
      this.#inbox.finish();
      return;
    }
    if (!this.#hasRequest) {
      const text = "protocol error: missing input message for unary method";
      this.#fail(new ConnectError(text, Code.Unimplemented));
      return;
    }
    const { request } = this;
    if (this.#isLater) {
      (request as () => Promise<unknown>)().then(
        (message) => this.#invoke(message),
        (error) => this.#fail(ConnectError.from(error)),
      );
    } else this.#invoke(request);
  }

  #credit(size: number, isEmpty: boolean): void {
    const credit = isEmpty ? this.#uncredited : Math.min(size, this.#uncredited);
    this.#uncredited -= credit;
    if (credit > 0) this.stream.consumed(credit);
  }

  #keep(bytes: number): void {
    this.#incomplete ??= new IncompleteMessage(this.peer.incomplete, (error) => this.#fail(error));
    this.#incomplete.keep(bytes);
  }

  // ---------------------------------------------------------------------------------------------------------- the answer

  #invoke(request: unknown): void {
    if (this.#isOver) return;
    if (this.deadline !== undefined && this.#expiresAt <= performance.now()) {
      this.#expire();
      return;
    }
    const { backlog } = this.stream.connection;
    const { expected } = this.route.answers;
    if (backlog.isFull(expected)) {
      this.#unhold = backlog.hold(
        expected,
        () => this.#begin(request),
        () => this.#refuse(),
      );
    } else this.#begin(request);
  }

  /** The caller may try again: nothing has been done. */
  #refuse(): void {
    this.#over(callIsOver);
    this.stream.refuse(ErrorCode.REFUSED_STREAM);
  }

  #begin(request: unknown): void {
    const { peer, route, stream } = this;
    if (peer.running >= peer.maxRunning) {
      // Its streams may be closed, but the work for them goes on: a peer gets no more of it at a time (CVE-2023-44487).
      this.#refuse();
      return;
    }
    this.#isRunning = true;
    peer.running++;
    const { expected } = route.answers;
    if (expected > 0) {
      this.#expected = expected;
      stream.connection.backlog.expect(expected);
    }
    let result: unknown;
    try {
      result = route.implementation(request, this);
    } catch (error) {
      this.#failed(error);
      return;
    }
    const { methodKind } = route.method;
    if (methodKind === "server_streaming" || methodKind === "bidi_streaming") {
      try {
        this.#answers = (result as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      } catch (error) {
        this.#failed(error);
        return;
      }
      if (this.#isOver) this.#leave();
      else this.#pull();
    } else if (typeof (result as Promise<unknown> | undefined)?.then === "function") {
      (result as Promise<unknown>).then(
        (message) => this.#answer(message),
        (error) => this.#failed(error),
      );
    } else this.#answer(result);
  }

  #answer(message: unknown): void {
    this.#stopped();
    if (this.#isOver) return;
    if (this.stream.connection.backlog.isOverfull) {
      this.#fail(tooMuchWaits());
      return;
    }
    try {
      const framed = frameMessage(this.route.output, message);
      if (framed.length > FRAME_SIZE || this.#expected > 0) this.route.answers.learn(framed.length);
      if (this.#isWorthGzip(framed)) {
        this.#answersGzip = true;
        compressFrame(framed).then(
          (bytes) => this.#finish(bytes),
          (error) => this.#fail(ConnectError.from(error, Code.Internal)),
        );
      } else this.#finish(framed);
    } catch (error) {
      this.#fail(this.explain(error));
    }
  }

  #failed(error: unknown): void {
    this.#stopped();
    if (!this.#isOver) this.#fail(this.explain(error));
  }

  #finish(framed: Uint8Array | undefined): void {
    if (this.#isOver) return;
    if (framed !== undefined && !this.#canKeep(framed)) {
      this.#fail(tooMuchWaits());
      return;
    }
    this.#over(callIsOver);
    this.#sendHead();
    if (framed !== undefined) this.stream.sendData(framed);
    if (this.#responseTrailer === undefined) {
      this.stream.end(answerTrailers);
      return;
    }
    const fields = ["grpc-status", "0"];
    appendMetadata(fields, this.#responseTrailer);
    this.stream.end(fields);
  }

  /** Whether an answer is so long that it is compressed, for a caller who accepts that. */
  #isWorthGzip({ length }: Uint8Array): boolean {
    return length - PREFIX >= this.route.compressMinBytes && this.#acceptsGzip();
  }

  #acceptsGzip(): boolean {
    return this.#isGzip || acceptsGzip(this.head.grpcAcceptEncoding);
  }

  /** Whether an answer can go at once, or the process has room for it until it can. */
  #canKeep({ length }: Uint8Array): boolean {
    const { connection } = this.stream;
    return length <= FRAME_SIZE || length <= connection.room(this.stream) || connection.backlog.takes(length);
  }

  /** Asks the handler for its next answer, once there is room for more of them. */
  #askNext(): void {
    const { backlog } = this.stream.connection;
    if (backlog.isFull()) this.#unhold = backlog.hold(0, () => this.#pull());
    else this.#pull();
  }

  #pull(): void {
    this.#isPulling = true;
    try {
      (this.#answers as AsyncIterator<unknown>).next().then(
        (result) => this.#next(result),
        (error) => this.#failed(error),
      );
    } catch (error) {
      this.#failed(error);
    }
  }

  #next({ done, value }: IteratorResult<unknown>): void {
    this.#isPulling = false;
    if (done || this.#isOver) {
      this.#stopped();
      this.#finish(undefined);
      return;
    }
    if (this.stream.connection.backlog.isOverfull) {
      this.#fail(tooMuchWaits());
      return;
    }
    try {
      const framed = frameMessage(this.route.output, value);
      if (!this.#canKeep(framed)) throw tooMuchWaits();
      // The head goes with the first message, and says how those after it may be compressed.
      if (!this.#hasHead)
        this.#answersGzip = this.route.compressMinBytes < Number.POSITIVE_INFINITY && this.#acceptsGzip();
      this.#sendHead();
      if (this.#answersGzip && this.#isWorthGzip(framed)) {
        compressFrame(framed).then(
          (bytes) => this.#send(bytes),
          (error) => this.#fail(ConnectError.from(error, Code.Internal)),
        );
      } else this.#send(framed);
    } catch (error) {
      this.#fail(this.explain(error));
    }
  }

  #send(framed: Uint8Array): void {
    if (this.#isOver) return;
    this.stream.sendData(framed);
    if (this.stream.queued > 0) this.#isFull = true;
    else this.#askNext();
  }

  drained(): void {
    if (!this.#isFull || this.#isOver) return;
    this.#isFull = false;
    this.#askNext();
  }

  #sendHead(): void {
    if (this.#hasHead) return;
    this.#hasHead = true;
    if (this.#responseHeader === undefined && !this.#isGzip) {
      this.stream.sendHeaders(this.#answersGzip ? gzipHead : answerHead);
      return;
    }
    this.stream.sendHeaders(this.#headFields());
  }

  #headFields(): string[] {
    const fields = [":status", "200", "content-type", CONTENT_TYPE];
    if (this.#isGzip || this.#answersGzip) fields.push("grpc-encoding", "gzip");
    if (this.#isGzip) fields.push("grpc-accept-encoding", acceptedEncodings);
    if (this.#responseHeader !== undefined) appendMetadata(fields, this.#responseHeader);
    return fields;
  }

  /** Tells the caller an error. Without headers that it should see first, one block says it all ("Trailers-Only"). */
  #fail(error: ConnectError): void {
    if (this.#isOver) return;
    this.#over(error);
    const isOnly = !this.#hasHead && (this.#responseHeader === undefined || this.#responseHeader.keys().next().done);
    const fields = isOnly ? [":status", "200", "content-type", CONTENT_TYPE] : [];
    appendStatus(fields, error);
    if (this.#responseTrailer !== undefined) appendMetadata(fields, this.#responseTrailer);
    if (isOnly) {
      this.stream.sendHeaders(fields, true);
      return;
    }
    this.#sendHead();
    this.stream.end(fields);
  }

  // ------------------------------------------------------------------------------------------------------------- its end

  /** The caller is gone, or the connection is. */
  closed(code: number, cause?: Error): void {
    if (this.#isOver) return;
    this.#over(new ConnectError(cause?.message ?? `the caller left (HTTP/2 error ${code})`, Code.Canceled));
  }

  /** The process stops. */
  abort(error: ConnectError): void {
    this.#fail(error);
  }

  #over(reason: unknown): void {
    this.#isOver = true;
    this.#reason = reason;
    if (this.#timer !== undefined) stopTimer(this.#timer);
    this.#incomplete?.end();
    this.#deframer = undefined;
    this.#unlink?.();
    this.#unhold?.();
    this.#controller?.abort(reason);
    if (reason !== callIsOver) this.cancelled?.(reason as ConnectError);
    if (this.#inbox !== undefined && !this.#isComplete) {
      this.#inbox.abort(reason instanceof ConnectError ? reason : callIsOver);
    }
    if (this.#answers !== undefined && this.#isRunning) this.#leave();
  }

  /** Has the handler's stream end. It is not waited for: a generator that is stuck never returns. */
  #leave(): void {
    const isPulling = this.#isPulling;
    const stopped = () => {
      if (!isPulling) this.#stopped();
    };
    try {
      const left = this.#answers?.return?.();
      if (left === undefined) stopped();
      else left.then(stopped, stopped);
    } catch {
      stopped();
    }
  }

  /** The handler has ended. */
  #stopped(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.peer.running--;
    if (this.#expected > 0) {
      this.stream.connection.backlog.expect(-this.#expected);
      this.#expected = 0;
    }
  }

  #expire(): void {
    this.#fail(new ConnectError(`${pathOf(this.route.method)} did not answer in time`, Code.DeadlineExceeded));
  }

  limit(timeoutMs: number): void {
    const expiresAt = performance.now() + timeoutMs;
    if (this.#isOver || (this.deadline !== undefined && this.#expiresAt <= expiresAt)) return;
    this.#expiresAt = expiresAt;
    this.deadline = Date.now() + timeoutMs;
    this.#timer ??= new Timer(() => this.#expire());
    startTimer(this.#timer, timeoutMs);
  }

  endWith(signal: AbortSignal, error: () => ConnectError): void {
    if (this.#isOver) return;
    if (signal.aborted) {
      this.#fail(error());
      return;
    }
    this.#unlink = onAbort(signal, () => this.#fail(error()));
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
      if (this.#isOver) this.#controller.abort(this.#reason);
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

/** The caller leaves unread what was sent to it before: nothing more is kept for it. */
function tooMuchWaits(): ConnectError {
  return new ConnectError("too many answers wait to be read on this connection", Code.ResourceExhausted);
}
