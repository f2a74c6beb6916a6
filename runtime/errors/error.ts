import { type Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../options/google/rpc/error_details_pb.js";
import { catalogue, type ErrorEntry, type Reason } from "./catalogue.js";

/** The domain of the runtime's reasons in `google.rpc.ErrorInfo`. */
const DOMAIN = "protoscaffold";

interface ErrorOptions {
  /** Details that stand before the `google.rpc.ErrorInfo`. */
  readonly details?: readonly ConnectError["details"][number][];
  readonly metadata?: Headers;
  /** Instead of the catalogue's code, for errors whose code a protocol defines. */
  readonly code?: Code | undefined;
  readonly cause?: unknown;
}

const reasonKey = Symbol.for("protoscaffold.reason");

/** Returns an error of the catalogue, with its code and its reason. Details are encoded only when the error is sent. */
export function errorFor(reason: Reason, message: string, options: ErrorOptions = {}): ConnectError {
  const { details = [], metadata, cause } = options;
  const entry: ErrorEntry = catalogue[reason];
  const error = new ConnectError(message, options.code ?? entry.code, metadata, undefined, cause);
  error.details.push(...details);
  if (entry.isLocal) return withReason(reason, error);
  error.details.push({ desc: ErrorInfoSchema, value: { reason, domain: DOMAIN } });
  return error;
}

/** Gives `copy` the reason that `error` has in this process alone, and returns it. Details are copied by those who copy errors. */
export function withReasonOf(error: ConnectError, copy: ConnectError): ConnectError {
  const { [reasonKey]: reason } = error as { [reasonKey]?: Reason };
  return reason === undefined ? copy : withReason(reason, copy);
}

function withReason(reason: Reason, error: ConnectError): ConnectError {
  // Not enumerable: programs that compare or log the error see it without.
  return Object.defineProperty(error, reasonKey, { value: reason, configurable: true });
}

/**
 * Returns the reason of an error that the runtime of this process or of a peer has made. Undefined for other errors, and
 * for reasons that this version does not know.
 */
export function reasonOf(error: unknown): Reason | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const { [reasonKey]: reason } = error as { [reasonKey]?: Reason };
  if (reason !== undefined) return reason;
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === DOMAIN);
  return info !== undefined && isReason(info.reason) ? info.reason : undefined;
}

function isReason(reason: string): reason is Reason {
  return Object.hasOwn(catalogue, reason);
}
