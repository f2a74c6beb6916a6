import type { DescMethod } from "@bufbuild/protobuf";
import type { CallOptions, ContextValues } from "@connectrpc/connect";
import type { Context } from "../call/context.js";
import { propagated } from "../call/propagation.js";

/**
 * Makes a call: what a stage of a client's chain hands it on to. Returns a promise of the response; of a method whose responses are
 * streamed, an AsyncIterable of them.
 */
export type Send = (call: OutgoingCall) => unknown;

/** A part of the way of every call of a client. It is asked once for each method, when the client is made. */
export type ClientStage = (next: Send) => Send;

/** What a copy of a call may have of its own. */
export interface CallChanges {
  readonly signal?: AbortSignal | undefined;
  readonly onHeader?: ((headers: Headers) => void) | undefined;
  readonly onTrailer?: ((trailers: Headers) => void) | undefined;
}

/** A call of a method, on its way through a client's chain. */
export class OutgoingCall {
  /** How long an attempt may take that begins now, in milliseconds. Undefined: forever. */
  leftMs: number | undefined;
  #requestHeader: Headers | undefined;

  constructor(
    readonly method: DescMethod,
    /** A message; of a method whose callers stream, an AsyncIterable of messages. A stage may replace it. */
    public request: unknown,
    /** Aborted when nobody waits for the call any more. */
    readonly signal: AbortSignal | undefined,
    /** How long all of the call may take, in milliseconds: whole and above 0, unless no time is left. Undefined: forever. */
    public timeoutMs: number | undefined,
    private readonly givenHeader: CallOptions["headers"],
    /** Is told the headers of the response. */
    readonly onHeader?: ((headers: Headers) => void) | undefined,
    /** Is told the trailers of the response. */
    readonly onTrailer?: ((trailers: Headers) => void) | undefined,
    /** Goes to interceptors of Connect, where the client has a transport of Connect's. */
    readonly contextValues?: ContextValues | undefined,
    /** When the call was made, by `performance.now()`. */
    readonly startedAt: number = performance.now(),
  ) {
    this.leftMs = timeoutMs;
  }

  /** The metadata that is sent. Stages may add to it. */
  get requestHeader(): Headers {
    this.#requestHeader ??= new Headers(this.givenHeader);
    return this.#requestHeader;
  }

  /** The same as transports take it: undefined if there is none. */
  get headers(): CallOptions["headers"] {
    return this.#requestHeader ?? this.givenHeader;
  }

  /** Has the call take no longer than so many milliseconds. */
  limit(timeoutMs: number | undefined): void {
    if (timeoutMs === undefined || (this.timeoutMs !== undefined && this.timeoutMs <= timeoutMs)) return;
    this.timeoutMs = wholeMs(timeoutMs);
    this.leftMs = this.timeoutMs;
  }

  /** Has the next attempt take no longer than what is left of the call's time. */
  proceed(): void {
    if (this.timeoutMs !== undefined) {
      this.leftMs = wholeMs(this.timeoutMs - (performance.now() - this.startedAt));
    }
  }

  /** Returns the same call with some things changed. What is added to the metadata of one is not sent with the other. */
  with(changes: CallChanges): OutgoingCall {
    const { signal, onHeader, onTrailer } = { ...this, ...changes };
    const { method, request, timeoutMs, headers, contextValues, startedAt } = this;
    const call = new OutgoingCall(
      method,
      request,
      signal,
      timeoutMs,
      headers && new Headers(headers),
      onHeader,
      onTrailer,
      contextValues,
      startedAt,
    );
    call.leftMs = this.leftMs;
    return call;
  }
}

/**
 * Returns a call that a client is asked for. Given the context of the call that a handler answers, it is bounded by the time that is
 * left of that one and by its cancellation, and its headers go on; given Connect's call options, by what they say.
 */
export function outgoingCall(
  method: DescMethod,
  request: unknown,
  given: Context | CallOptions | undefined,
): OutgoingCall {
  if (given === undefined) return new OutgoingCall(method, request, undefined, undefined, undefined);
  if ("requestHeader" in given) {
    const left = given.timeoutMs();
    const timeoutMs = left === undefined || left === 0 ? left : wholeMs(left);
    return new OutgoingCall(method, request, given.signal, timeoutMs, propagated(given));
  }
  const { signal, timeoutMs = 0, headers, onHeader, onTrailer, contextValues } = given;
  // To Connect, 0 and less mean "no deadline"; the contract's holds nevertheless.
  const bound = timeoutMs > 0 ? wholeMs(timeoutMs) : undefined;
  return new OutgoingCall(method, request, signal, bound, headers, onHeader, onTrailer, contextValues);
}

/** A timeout as protocols take it: whole milliseconds, and no more than there are. To Connect 0 would mean no deadline. */
function wholeMs(timeoutMs: number): number {
  return Math.max(1, Math.floor(timeoutMs));
}
