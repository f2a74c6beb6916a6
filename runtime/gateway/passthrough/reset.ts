import { constants, type Http2Session } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Why a service's stream ended before its answer did. Resets mean what gRPC says they mean
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors), unless the whole connection was lost.
 */
export function resetError(service: string, code: number | undefined, session: Http2Session | undefined): ConnectError {
  if (session === undefined || session.destroyed) {
    return new ConnectError(`the connection to ${service} was lost`, Code.Unavailable);
  }
  const message = `${service} broke its answer off (HTTP/2 error ${code})`;
  switch (code) {
    case constants.NGHTTP2_REFUSED_STREAM:
      return new ConnectError(message, Code.Unavailable);
    case constants.NGHTTP2_CANCEL:
      return new ConnectError(message, Code.Canceled);
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return new ConnectError(message, Code.ResourceExhausted);
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return new ConnectError(message, Code.PermissionDenied);
    default:
      return new ConnectError(message, Code.Internal);
  }
}
