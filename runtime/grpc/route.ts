import type { DescMethod } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { Codec } from "../codec/codec.js";

/** The longest request that a service reads by default, in bytes: gRPC's own default. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/** A method and its handler. */
export interface Route {
  readonly method: DescMethod;
  /** As Connect's router takes it: one request or an iterable of them, and the call's context. */
  readonly implementation: (request: unknown, context: HandlerContext) => unknown;
  readonly input: Codec;
  readonly output: Codec;
  readonly readMaxBytes: number;
  readonly answers: ResponseSize;
  /** The minimum size of a response that is compressed if the caller accepts it, in bytes. */
  readonly compressMinBytes: number;
}

/** Responses shorter than this are not tracked, in bytes. */
const LONG_ANSWER = 64 * 1024;

/** The typical size of a method's responses. */
export class ResponseSize {
  /** The expected size of the next response in bytes; 0 if it is short, as almost all are. */
  expected = 0;

  learn(bytes: number): void {
    if (this.expected === 0 && bytes < LONG_ANSWER) return;
    const next = Math.max(bytes, this.expected - (this.expected >> 3));
    this.expected = next < LONG_ANSWER ? 0 : next;
  }
}
