import { Code, ConnectError } from "@connectrpc/connect";
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
export function violated(violations: readonly Violation[], code = Code.InvalidArgument, cause?: unknown): ConnectError {
  const text = violations.map(({ field, description }) => (field ? `${field}: ${description}` : description));
  const details = [{ desc: BadRequestSchema, value: { fieldViolations: [...violations] } }];
  return new ConnectError(text.join("; "), code, undefined, details, cause);
}
