import type { ConnectError, ConnectRouter } from "@connectrpc/connect";
import { errorFor } from "../errors/error.js";
import { EnvelopeMeter, IncompleteMessage, type IncompleteMessages } from "../grpc/incomplete-messages.js";
import { MessageQueue } from "../grpc/message-queue.js";
import { headersOf } from "../grpc/metadata.js";
import { ResponseSize } from "../grpc/route.js";
import { ErrorCode, errorName } from "../http2/errors.js";
import type { HeaderBlock } from "../http2/field.js";
import type { RequestHead } from "../http2/head.js";
import { trailerFields } from "../http2/head.js";
import type { Stream, StreamConsumer } from "../http2/stream.js";

type UniversalHandler = ConnectRouter["handlers"][number];

/** The function of a Connect handler: serves a request of any protocol. */
export type UniversalHandlerFn = (...request: Parameters<UniversalHandler>) => ReturnType<UniversalHandler>;

type UniversalResponse = Awaited<ReturnType<UniversalHandlerFn>>;

/** The content types whose bodies are length-prefixed messages. */
const enveloped = /^application\/(connect\+|grpc)/i;

/** A call over the native HTTP/2 server that a Connect handler serves: Connect, gRPC-Web, and gRPC with interceptors or JSON. */
export class UniversalCall implements StreamConsumer {
  readonly #body: MessageQueue;
  readonly #incomplete: IncompleteMessage;
  /** Undefined if the whole body is one message. */
  readonly #meter: EnvelopeMeter | undefined;
  #received = 0;
  readonly #controller = new AbortController();
  #uncredited = 0;
  #isOver = false;
  #isGivenUp = false;
  #wake: (() => void) | undefined;
  #unhold: (() => void) | undefined;

  constructor(
    private readonly stream: Stream,
    private readonly head: RequestHead,
    private readonly handler: UniversalHandlerFn,
    incomplete: IncompleteMessages,
  ) {
    this.#incomplete = new IncompleteMessage(incomplete, (error) => this.#giveUp(error));
    if (enveloped.test(head.contentType ?? "")) this.#meter = new EnvelopeMeter();
    const credit = (size: number, isEmpty: boolean) => {
      const bytes = isEmpty ? this.#uncredited : size;
      this.#uncredited -= bytes;
      stream.consumed(bytes);
    };
    this.#body = new MessageQueue(credit, () => credit(0, true));
    stream.lingers = true;
  }

  start(endStream: boolean): void {
    if (endStream) this.#body.finish();
    else if (this.#meter === undefined) this.#incomplete.keep(0);
    const { backlog } = this.stream.connection;
    const { expected } = sizeOf(this.handler);
    if (!backlog.isFull(expected)) {
      this.#begin();
      return;
    }
    this.#unhold = backlog.hold(
      expected,
      () => this.#begin(),
      () => this.#refuse(ErrorCode.REFUSED_STREAM),
    );
  }

  #begin(): void {
    const { head } = this;
    const { backlog } = this.stream.connection;
    const { expected } = sizeOf(this.handler);
    backlog.starts();
    backlog.expect(expected);
    const request = {
      httpVersion: "2.0",
      method: head.method,
      url: `${head.scheme}://${head.authority}${head.path}`,
      header: headersOf(head.fields),
      body: this.#body as AsyncIterable<Uint8Array>,
      signal: this.#controller.signal,
    };
    this.handler(request)
      .finally(() => backlog.expect(-expected))
      .then((response) => this.#respond(response))
      .catch(() => this.#breakOff());
  }

  data(source: Buffer, start: number, end: number, endStream: boolean): void {
    this.#uncredited += end - start;
    if (end > start) this.#body.add(new Uint8Array(source.subarray(start, end)), end - start);
    if (endStream) this.#ended();
    else this.#count(source, start, end);
  }

  #count(source: Buffer, start: number, end: number): void {
    if (this.#isOver || this.#isGivenUp) return;
    if (this.#meter === undefined) {
      this.#received += end - start;
      this.#incomplete.keep(this.#received);
      return;
    }
    const { bytes, isNext } = this.#meter.read(source, start, end);
    if (isNext) this.#incomplete.end();
    if (bytes > 0) this.#incomplete.keep(bytes);
  }

  #ended(): void {
    this.#incomplete.end();
    this.#body.finish();
  }

  /** Fails the body. The handler reports the error to the caller. */
  #giveUp(error: ConnectError): void {
    this.#isGivenUp = true;
    this.#body.abort(error);
  }

  headers(block: HeaderBlock): void {
    if (trailerFields(block) !== undefined) {
      this.#ended();
      return;
    }
    this.#refuse(ErrorCode.PROTOCOL_ERROR);
  }

  drained(): void {
    this.#wake?.();
  }

  closed(code: number, cause?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#incomplete.end();
    const text = cause?.message ?? `http/2 stream closed with error code ${errorName(code)} (0x${code.toString(16)})`;
    const error = errorFor("CALL_CANCELLED", text);
    this.#controller.abort(error);
    this.#body.abort(error);
    this.#unhold?.();
    this.#wake?.();
  }

  #refuse(code: number): void {
    this.stream.refuse(code);
    this.closed(code);
  }

  /** Sends a response. Its head waits for the first chunk of the body, because handlers may set headers until then. */
  async #respond({ status, header, body, trailer }: UniversalResponse): Promise<void> {
    const { stream } = this;
    const parts = body?.[Symbol.asyncIterator]();
    try {
      let part = await parts?.next();
      stream.sendHeaders([":status", String(status), ...fieldsOf(header)]);
      for (; part !== undefined && !part.done && !this.#isOver; part = await parts?.next()) {
        const { backlog } = stream.connection;
        const { length } = part.value;
        sizeOf(this.handler).learn(length);
        if (backlog.isOverfull || (length > stream.connection.room(stream) && !backlog.takes(length))) {
          this.#refuse(ErrorCode.ENHANCE_YOUR_CALM);
          return;
        }
        stream.sendData(part.value);
        if (stream.queued > 0) await this.#drained();
      }
      if (this.#isOver) return;
      const trailers = fieldsOf(trailer);
      stream.end(trailers.length > 0 ? trailers : undefined);
    } finally {
      parts?.return?.().catch(() => undefined);
      this.#finish();
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Resets the stream of a response that cannot be completed, so that the caller does not take it for complete. */
  #breakOff(): void {
    this.stream.reset(ErrorCode.INTERNAL_ERROR);
    this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#incomplete.end();
    this.#controller.abort();
  }
}

const sizes = new WeakMap<UniversalHandlerFn, ResponseSize>();

function sizeOf(handler: UniversalHandlerFn): ResponseSize {
  let size = sizes.get(handler);
  if (size === undefined) {
    size = new ResponseSize();
    sizes.set(handler, size);
  }
  return size;
}

function fieldsOf(headers: Headers | undefined): string[] {
  const fields: string[] = [];
  for (const [name, value] of headers ?? []) if (name !== "connection") fields.push(name, value);
  return fields;
}
