import { Code, ConnectError } from "@connectrpc/connect";
import { canceledBy, type Failure, failureOf, lost, withFailure } from "../call/failure.js";

/**
 * Says how an attempt failed that connect-node made, or another transport of Connect's. They have no types for that: there are the codes of
 * Node.js and OpenSSL, and where connect-node has dropped those, its own text. Nothing else in the runtime decides by a text.
 */
export function nodeFailure(thrown: unknown, signal: AbortSignal | undefined): ConnectError {
  if (signal?.aborted && thrown === signal.reason) return canceledBy(signal);
  const error = ConnectError.from(thrown);
  if (failureOf(error) !== undefined) return error;
  const failure = failed(error, signal);
  return failure === undefined ? error : withFailure(failure, error);
}

/** Returns the failure of calls whose connection could not be opened. */
export function notConnected(cause: Error & { readonly code?: unknown }): ConnectError {
  return lost(untrusted.test(String(cause.code)) ? "untrusted" : "unreachable", cause);
}

function failed(error: ConnectError, signal: AbortSignal | undefined): Failure | undefined {
  // The error of a peer carries the headers that it came with; one that was made on this side carries none.
  if (!error.metadata.keys().next().done) return "answered";
  if (signal?.aborted) return "canceled";
  if (error.code === Code.DeadlineExceeded) return "timeout";
  if (refused.test(error.rawMessage)) return "refused";
  const code = networkCode(error);
  if (code === undefined) return broken.test(error.rawMessage) ? "broken" : undefined;
  if (untrusted.test(code)) return "untrusted";
  return unreachable.has(code) ? "unreachable" : "broken";
}

/** Returns how the network failed, by the code that Node.js gives; undefined if it did not. */
function networkCode(error: ConnectError): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && networkCodes.test(code)) return code;
  }
  return undefined;
}

/** The peer was not there when the connection was to be opened. */
const unreachable = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"]);

/** How node:tls and OpenSSL say that a certificate is not believed, or that there is no TLS. */
const untrusted = /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|INVALID_CA)/;

const networkCodes =
  /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|INVALID_CA|ECONN|EPIPE|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|ERR_HTTP2_|ERR_STREAM_|ERR_SOCKET_)/;

/** How connect-node, and node:http2 itself, name the code with which a peer turns a stream away. */
const refused = /REFUSED_STREAM/;

/** All that connect-node says of a stream whose connection was lost: how node:http2 ended it, or what was still to come. */
const broken =
  /^http\/2 stream closed with error code CANCEL|^protocol error: (missing status|incomplete envelope|promised \d+ bytes)/;
