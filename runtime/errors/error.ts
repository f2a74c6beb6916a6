import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../options/google/rpc/error_details_pb.js";
import { catalogue, type Reason } from "./catalogue.js";

/** The domain of the runtime's reasons in `google.rpc.ErrorInfo`. */
const DOMAIN = "protoscaffold";

interface ErrorOptions {
  /** Details that stand before the `google.rpc.ErrorInfo`. */
  readonly details?: readonly ConnectError["details"][number][];
  readonly metadata?: Headers;
  readonly cause?: unknown;
}

/** Returns an error of the catalogue, with its code and its reason. Details are encoded only when the error is sent. */
export function errorFor(reason: Reason, message: string, options: ErrorOptions = {}): ConnectError {
  const { details = [], metadata, cause } = options;
  const error = new ConnectError(message, catalogue[reason].code, metadata, undefined, cause);
  error.details.push(...details, { desc: ErrorInfoSchema, value: { reason, domain: DOMAIN } });
  return error;
}

/**
 * Returns the reason of an error that the runtime of this process or of a peer has made. Undefined for other errors, and
 * for reasons that this version does not know.
 */
export function reasonOf(error: unknown): Reason | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === DOMAIN);
  return info !== undefined && isReason(info.reason) ? info.reason : undefined;
}

function isReason(reason: string): reason is Reason {
  return Object.hasOwn(catalogue, reason);
}
