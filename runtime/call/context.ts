import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import type { Caller } from "./caller.js";
import type { TraceContext } from "./trace-context.js";

declare const published: unique symbol;

/**
 * What a handler knows about the call it answers. Passing it on to a client bounds the next hop.
 *
 * @typeParam Published what the method publishes, by its contract
 */
export interface Context<Published extends DescMessage = never> {
  /** Carries what is published to transactions; no value exists at run time. */
  readonly [published]?: (schema: Published) => void;
  /** The method that is called. */
  readonly method: DescMethod;
  /** Aborted when the caller goes away, when the deadline passes, and when the process has drained for too long. */
  readonly signal: AbortSignal;
  /**
   * When the call must have been answered, in milliseconds since the epoch, as the wall clock said when the call came; undefined
   * if it may take forever. For people and logs: what waits asks `timeoutMs`, which no change of the wall clock makes wrong.
   */
  readonly deadline: number | undefined;
  /** Who calls, if an interceptor or a rule of the contract has found out. */
  readonly caller?: Caller | undefined;
  /** The caller's place in a trace, from its `traceparent`; undefined if it sent none that is valid. */
  readonly trace?: TraceContext | undefined;
  /** The idempotency key that came with the request; undefined if the method declares none or the caller sent none. */
  readonly idempotencyKey: string | undefined;
  /** The metadata that came with the call. */
  readonly requestHeader: Headers;
  /** Metadata sent before the answer. */
  readonly responseHeader: Headers;
  /** Metadata sent after the answer. */
  readonly responseTrailer: Headers;
  /** Milliseconds left until the deadline, never below 0; undefined without one. */
  timeoutMs(): number | undefined;
}

declare const answer: unique symbol;

/** The context of a method whose contract names an idempotency key, and whose answer is an `O`. */
export interface KeyedContext<O extends DescMessage, Published extends DescMessage = never> extends Context<Published> {
  /** Carries the answer's type to `once`; no value exists at run time. */
  readonly [answer]?: O;
  /** The request without its key and what the method ignores, as bytes: the same key with other bytes is a caller's mistake. */
  readonly fingerprint: Uint8Array;
  /** The same with what the method ignores, as it was kept before the contract said so. Absent: the method ignores nothing. */
  readonly wholeFingerprint?: Uint8Array | undefined;
}
