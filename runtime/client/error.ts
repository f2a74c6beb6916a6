import { type CallOptions, Code, ConnectError } from "@connectrpc/connect";
import { activeTiming, timingHeader } from "../observe/timing.js";

/**
 * What a failed call throws: the peer's own error if it answered with one; UNAVAILABLE if it could not be reached or the
 * connection broke, which node:http2 reports as this or that; DEADLINE_EXCEEDED with the name of what took too long.
 * Addresses are left to `cause`, which does not travel.
 */
export function peerError(thrown: unknown, path: string, { signal, timeoutMs }: CallOptions): ConnectError {
  const error = ConnectError.from(thrown);
  activeTiming()?.add(error.metadata.get(timingHeader));
  if (hasAnswered(error)) return withoutProtocolHeaders(error);
  if (signal?.aborted) return error;
  if (error.code === Code.DeadlineExceeded) {
    return failure(`${path} did not answer within ${timeoutMs} ms`, Code.DeadlineExceeded, error);
  }
  const code = networkCode(error);
  if (code === undefined) return error;
  const service = path.slice(0, path.lastIndexOf("/"));
  if (untrusted.test(code)) return failure(`${service} cannot be reached over TLS: ${code}`, Code.Unavailable, error);
  return unreachable.has(code)
    ? failure(`${service} cannot be reached`, Code.Unavailable, error)
    : failure(`the connection to ${service} broke before it had answered`, Code.Unavailable, error);
}

/** Whether a call was turned away before the peer had looked at it (RFC 9113, section 8.7): it is safe to send again. */
export function wasRefused(thrown: unknown): boolean {
  const error = ConnectError.from(thrown);
  return !hasAnswered(error) && error.rawMessage.includes("REFUSED_STREAM");
}

/** The error of a peer carries the headers that it came with; one that was made on this side carries none. */
function hasAnswered(error: ConnectError): boolean {
  return !error.metadata.keys().next().done;
}

/** A handler may pass a peer's error on; the headers of that answer must not become headers of its own. */
function withoutProtocolHeaders(error: ConnectError): ConnectError {
  for (const name of [...error.metadata.keys()]) {
    if (protocolHeader.test(name)) error.metadata.delete(name);
  }
  return error;
}

const protocolHeader =
  /^((grpc|connect|access-control|content)-.*|date|server|server-timing|connection|keep-alive|transfer-encoding|trailer|vary|alt-svc)$/;

/** The peer was not there when the connection was to be opened. */
const unreachable = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"]);

/** How node:tls and OpenSSL say that a certificate is not believed, or that there is no TLS. */
const untrusted = /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|INVALID_CA)/;

const networkCodes =
  /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|INVALID_CA|ECONN|EPIPE|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|ERR_HTTP2_|ERR_STREAM_|ERR_SOCKET_)/;

/** How the network failed, by the code that Node.js gives; undefined if it did not. */
function networkCode(error: ConnectError): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && networkCodes.test(code)) return code;
  }
  return lostStream.exec(error.rawMessage)?.[0];
}

/** All that connect-node says of a stream whose connection was lost: how node:http2 ended it, or what was still to come. */
const lostStream =
  /^http\/2 stream closed with error code (CANCEL|REFUSED_STREAM)|^PING timed out|^protocol error: (missing status|incomplete envelope|promised \d+ bytes)/;

function failure(message: string, code: Code, cause: ConnectError): ConnectError {
  return new ConnectError(message, code, undefined, undefined, cause);
}
