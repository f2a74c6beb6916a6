import type { Http2Session } from "node:http2";
import type { ConnectError } from "@connectrpc/connect";
import { errorFor } from "../../errors/error.js";
import { codeOfReset } from "../../grpc/status.js";

/**
 * Returns the error for a service's stream that was closed before its response was complete. The status code of a reset is gRPC's
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors), unless the connection was lost.
 */
export function resetError(service: string, code: number | undefined, session: Http2Session | undefined): ConnectError {
  if (session === undefined || session.destroyed) {
    return errorFor("CONNECTION_LOST", `the connection to ${service} was lost`);
  }
  return errorFor("STREAM_RESET", `${service} broke its response off (HTTP/2 error ${code})`, {
    code: codeOfReset(code),
  });
}
