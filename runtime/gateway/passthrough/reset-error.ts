import { constants, type Http2Session } from "node:http2";
import { Code, type ConnectError } from "@connectrpc/connect";
import { errorFor } from "../../errors/error.js";

/**
 * Returns the error for a service's stream that was closed before its response was complete. The status code of a reset is gRPC's
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors), unless the connection was lost.
 */
export function resetError(service: string, code: number | undefined, session: Http2Session | undefined): ConnectError {
  if (session === undefined || session.destroyed) {
    return errorFor("CONNECTION_LOST", `the connection to ${service} was lost`);
  }
  return errorFor("STREAM_RESET", `${service} broke its response off (HTTP/2 error ${code})`, {
    code: codes[code ?? -1],
  });
}

const codes: Readonly<Record<number, Code>> = {
  [constants.NGHTTP2_REFUSED_STREAM]: Code.Unavailable,
  [constants.NGHTTP2_CANCEL]: Code.Canceled,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: Code.ResourceExhausted,
  [constants.NGHTTP2_INADEQUATE_SECURITY]: Code.PermissionDenied,
};
