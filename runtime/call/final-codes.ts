import { Code } from "@connectrpc/connect";

const finalCodes: ReadonlySet<Code> = new Set([
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
 * Returns whether a call that ended with this code was refused for good: it did nothing, and a later attempt gets the same answer.
 * Every other code leaves open whether the call had an effect: no answer in time, a broken connection, a peer that is down.
 */
export function isFinalCode(code: Code): boolean {
  return finalCodes.has(code);
}
