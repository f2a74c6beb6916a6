import type { ConnectError } from "@connectrpc/connect";
import { type Failure, failureOf, withFailure } from "../call/failure.js";
import { pathOf } from "../call/incoming-call.js";
import type { Reason } from "../errors/catalogue.js";
import { errorFor } from "../errors/error.js";
import { activeTiming, timingHeader } from "../observe/timing.js";
import type { OutgoingCall } from "./outgoing-call.js";

/**
 * Returns what a failed call throws: the peer's own error if it answered with one; UNAVAILABLE if it could not be reached or the
 * connection broke; DEADLINE_EXCEEDED with the name of what took too long. It says how the attempt failed, as `error` does.
 * Addresses are left to `cause`, which does not travel.
 */
export function explained(error: ConnectError, { method, timeoutMs }: OutgoingCall): ConnectError {
  activeTiming()?.add(error.metadata.get(timingHeader));
  const service = method.parent.typeName;
  const failure = failureOf(error);
  switch (failure) {
    case "answered":
      return withoutProtocolHeaders(error);
    case "timeout":
      return worded(`${pathOf(method)} did not answer within ${timeoutMs} ms`, failure, error, "DEADLINE_EXCEEDED");
    case "untrusted":
      return worded(`${service} cannot be reached over TLS${systemCode(error)}`, failure, error, "SERVICE_UNREACHABLE");
    case "unreachable":
      return worded(`${service} cannot be reached`, failure, error, "SERVICE_UNREACHABLE");
    case "refused":
    case "broken":
      return worded(`the connection to ${service} broke before it had answered`, failure, error, "CONNECTION_LOST");
    case "canceled":
    case undefined:
      return error;
  }
}

function worded(text: string, failure: Failure, cause: ConnectError, reason: Reason): ConnectError {
  return withFailure(failure, errorFor(reason, text, { cause }));
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

/** The code that Node.js or OpenSSL gives, behind a colon; empty if there is none. */
function systemCode(error: ConnectError): string {
  for (let at: unknown = error.cause; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string") return `: ${code}`;
  }
  return "";
}
