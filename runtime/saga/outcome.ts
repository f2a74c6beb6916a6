import { Code, ConnectError } from "@connectrpc/connect";
import { EncodeError } from "../codec/encode-error.js";

/** The codes with which a service says no, having done nothing. */
const refusals = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.OutOfRange,
  Code.Unimplemented,
  Code.Unauthenticated,
]);

/**
 * Whether an attempt has failed for good. All else leaves open whether it was done: no answer in time, a broken connection,
 * a peer that is down or has failed in an unforeseen way. That is asked again, with the same key.
 */
export function isFinal({ code }: ConnectError): boolean {
  return refusals.has(code);
}

/**
 * Returns whether what the service itself did has failed for good: its database or a peer refused it, or a value does not
 * fit its field. The same saga fails in the same way however often it is tried.
 */
export function isPermanent(error: unknown): boolean {
  return error instanceof ConnectError ? isFinal(error) : error instanceof EncodeError;
}
