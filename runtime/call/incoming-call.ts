import type { DescMethod } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { errorFor } from "../errors/error.js";
import type { Caller } from "./caller.js";
import type { KeyedContext } from "./context.js";

/**
 * A call on its way to its handler, over any protocol. Stages and interceptors see it before the handler does. The native
 * gRPC server implements it and makes the parts that a call need not have when they are asked for; calls that Connect reads
 * are a `ConnectCall`.
 */
export abstract class IncomingCall {
  abstract readonly method: DescMethod;
  /** Aborted when the call ends before it is answered. */
  abstract readonly signal: AbortSignal;
  /** When it must have been answered, in milliseconds since the epoch; undefined without a deadline. */
  abstract readonly deadline: number | undefined;
  abstract readonly requestHeader: Headers;
  abstract readonly responseHeader: Headers;
  abstract readonly responseTrailer: Headers;

  /** The request; an AsyncIterable of them where callers stream. A stage may replace it. */
  request: unknown = undefined;
  /** What the handler is given beside the request. */
  context: KeyedContext<never> = undefined as never;
  /** Undefined until a stage has found out who calls. */
  caller: Caller | undefined = undefined;
  /** Called with the reason if the call ends before it is answered. One slot: the data behind the handler uses it. */
  cancelled: ((reason: Error) => void) | undefined = undefined;
  /** Turns what the handler throws, or returns though it cannot be sent, into the caller's error. Not asked once the call is over. */
  explain: (error: unknown) => ConnectError = unexplained;

  /** Milliseconds left until the deadline, negative once it has passed; undefined without one. */
  abstract readonly timeoutMs: () => number | undefined;

  /** Returns one request header, without all of them being made. */
  abstract header(name: string): string | undefined;

  /** Ends the call with DEADLINE_EXCEEDED after so many milliseconds, if that is before its deadline. */
  abstract limit(timeoutMs: number): void;

  /** Ends the call with an error when `signal` is aborted before it is over. */
  abstract endWith(signal: AbortSignal, error: () => ConnectError): void;
}

/** As Connect tells it: an error that nobody foresaw is not told to the caller. */
function unexplained(error: unknown): ConnectError {
  return error instanceof ConnectError ? error : errorFor("HANDLER_FAILED", "internal error", { cause: error });
}

/** Handles a call: returns its response, a promise of it, or an AsyncIterable of responses where the method streams them. */
export type Handle = (call: IncomingCall) => unknown;

/** Puts something before what handles calls. Made once for each method, when the process starts. */
export type ServerStage = (next: Handle) => Handle;

/** The full name of a method, as errors and logs have it: `shop.orders.v1.OrderService/PlaceOrder`. */
export function pathOf({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}
