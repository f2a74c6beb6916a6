import type { DescMethod } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { Codec } from "../codec/codec.js";

/** The maximum size of a request message by default, in bytes, as in other gRPC implementations. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/** A method and its handler. */
export interface Route {
  readonly method: DescMethod;
  /** The handler in the form of Connect's router: takes one request or an iterable of requests, and the call's context. */
  readonly implementation: (request: unknown, context: HandlerContext) => unknown;
  readonly input: Codec;
  readonly output: Codec;
  readonly readMaxBytes: number;
  readonly responseSize: ResponseSize;
  /** The minimum size of a compressed response in bytes, for callers that accept gzip. */
  readonly compressMinBytes: number;
}

/** The size of a long response in bytes. Shorter ones are not tracked. */
const LONG_RESPONSE = 64 * 1024;

/** An estimate of the size of a method's responses: the largest one, which decays with each shorter one. */
export class ResponseSize {
  /** The expected size of the next response in bytes; 0 for short responses. */
  expected = 0;

  learn(bytes: number): void {
    if (this.expected === 0 && bytes < LONG_RESPONSE) return;
    const next = Math.max(bytes, this.expected - (this.expected >> 3));
    this.expected = next < LONG_RESPONSE ? 0 : next;
  }
}
