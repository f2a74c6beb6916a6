import { ErrorCode } from "../http2/errors.js";
import type { HeaderBlock } from "../http2/field.js";
import { trailerFields } from "../http2/head.js";
import { ConstantBlock } from "../http2/hpack-encoder.js";
import type { Stream, StreamConsumer } from "../http2/stream.js";
import { startTimer, stopTimer, Timer } from "../http2/timers.js";

/** How long the rest of a request that is refused may take to arrive, in milliseconds. */
const PATIENCE = 10_000;

export const notFound = new ConstantBlock([":status", "404"]);
export const tooLarge = new ConstantBlock([":status", "431"]);
export const noSuchMethod = new ConstantBlock([
  ":status",
  "200",
  "content-type",
  "application/grpc+proto",
  "grpc-status",
  "12",
  "grpc-message",
  "no such method is served here",
]);

/** Answers a request, once all of it has arrived, with headers alone. What it says is not kept. */
export class Refusal implements StreamConsumer {
  readonly #late = new Timer(() => this.#answer());

  constructor(
    private readonly stream: Stream,
    private readonly block: ConstantBlock,
  ) {}

  start(endStream: boolean): void {
    if (endStream) this.#answer();
    else startTimer(this.#late, PATIENCE);
  }

  data(_source: Buffer, start: number, end: number, endStream: boolean): void {
    if (endStream) this.#answer();
    else this.stream.consumed(end - start);
  }

  headers(block: HeaderBlock): void {
    if (trailerFields(block) !== undefined) {
      this.#answer();
      return;
    }
    stopTimer(this.#late);
    this.stream.refuse(ErrorCode.PROTOCOL_ERROR);
  }

  closed(): void {
    stopTimer(this.#late);
  }

  drained(): void {}

  #answer(): void {
    stopTimer(this.#late);
    this.stream.sendHeaders(this.block, true);
  }
}
