import { ConnectError } from "@connectrpc/connect";
import { isFinalCode } from "../call/final-codes.js";
import { EncodeError } from "../codec/encode-error.js";

/**
 * Returns whether the service's own part of a saga has failed for good: its database or a peer refused it, or a value does not
 * fit its field. Every further attempt fails in the same way.
 */
export function isPermanent(error: unknown): boolean {
  return error instanceof ConnectError ? isFinalCode(error.code) : error instanceof EncodeError;
}
