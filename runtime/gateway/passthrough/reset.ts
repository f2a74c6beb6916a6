import { constants, type Http2Session } from "node:http2";
import { Code, type ConnectError } from "@connectrpc/connect";
import { errorFor } from "../../errors/error.js";

/**
 * Why a service's stream ended before its answer did. Resets mean what gRPC says they mean
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors), unless the whole connection was lost.
 */
export function resetError(service: string, code: number | undefined, session: Http2Session | undefined): ConnectError {
  if (session === undefined || session.destroyed) {
    return errorFor("CONNECTION_LOST", `the connection to ${service} was lost`);
  }
  return errorFor("STREAM_RESET", `${service} broke its answer off (HTTP/2 error ${code})`, {
    code: codes[code ?? -1],
  });
}

const codes: Readonly<Record<number, Code>> = {
  [constants.NGHTTP2_REFUSED_STREAM]: Code.Unavailable,
  [constants.NGHTTP2_CANCEL]: Code.Canceled,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: Code.ResourceExhausted,
  [constants.NGHTTP2_INADEQUATE_SECURITY]: Code.PermissionDenied,
};
