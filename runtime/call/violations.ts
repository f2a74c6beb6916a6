import type { ConnectError } from "@connectrpc/connect";
import type { Reason } from "../errors/catalogue.js";
import { errorFor } from "../errors/error.js";
import { BadRequestSchema } from "../options/google/rpc/error_details_pb.js";

/** What is wrong with one field of a request. */
export interface Violation {
  /** Its path, in proto spelling: "product.price_cents"; empty for the whole message. */
  readonly field: string;
  readonly description: string;
  /** For programs, in UPPER_SNAKE_CASE (AIP-193). */
  readonly reason: string;
}

/** An error that names fields, in its text and, for programs, as google.rpc.BadRequest. */
export function violated(
  violations: readonly Violation[],
  reason: Reason = "REQUEST_INVALID",
  cause?: unknown,
): ConnectError {
  const text = violations.map(({ field, description }) => (field ? `${field}: ${description}` : description));
  const details = [{ desc: BadRequestSchema, value: { fieldViolations: [...violations] } }];
  return errorFor(reason, text.join("; "), { details, cause });
}
