import { Code, ConnectError } from "@connectrpc/connect";
import { errorFor, withReasonOf } from "../errors/error.js";

/**
 * How an attempt of a call failed.
 *
 * - `answered`: the peer answered with an error, or with something that is no response.
 * - `refused`: the peer turned the call away before it looked at it (RFC 9113, section 8.7). It is safe to send it again.
 * - `unreachable`: there was no connection to send the call on.
 * - `untrusted`: there was none because one side does not trust the other's certificate, or TLS failed in another way.
 * - `broken`: the connection, or the response, broke off. The peer may have carried the call out.
 * - `timeout`: the call's deadline passed.
 * - `canceled`: its caller gave it up.
 */
export type Failure = "answered" | "refused" | "unreachable" | "untrusted" | "broken" | "timeout" | "canceled";

const failureKey = Symbol.for("protoscaffold.failure");

/**
 * Returns how the attempt failed that ended with `error`. Undefined: it was never made, because the call itself is at fault: its
 * message cannot be written, for instance.
 */
export function failureOf(error: unknown): Failure | undefined {
  return error instanceof Error ? (error as { [failureKey]?: Failure })[failureKey] : undefined;
}

/** Has `error` say how an attempt failed, and returns it. */
export function withFailure(failure: Failure, error: ConnectError): ConnectError {
  // Not enumerable: whoever compares or logs the error sees it as it was.
  return Object.defineProperty(error, failureKey, { value: failure, configurable: true });
}

/** Returns the failure of an attempt that ended with UNAVAILABLE. What happened to the connection is its cause. */
export function lost(failure: Failure, cause: Error | undefined): ConnectError {
  const message = cause?.message ?? "the connection was lost";
  const reason = failure === "unreachable" || failure === "untrusted" ? "SERVICE_UNREACHABLE" : "CONNECTION_LOST";
  return withFailure(failure, errorFor(reason, message, { cause }));
}

/** Returns the failure of an attempt that was given up by its signal. */
export function canceledBy({ reason }: AbortSignal): ConnectError {
  return withFailure("canceled", ofThisCall(ConnectError.from(reason, Code.Canceled)));
}

/** Returns an error that says nothing of any attempt yet. What ends one call may be the failure of another. */
export function ofThisCall(error: ConnectError): ConnectError {
  if (failureOf(error) === undefined && Object.isExtensible(error)) return error;
  const copy = new ConnectError(error.rawMessage, error.code, error.metadata, undefined, error);
  copy.details.push(...error.details);
  return withReasonOf(error, copy);
}
