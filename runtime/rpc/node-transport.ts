import { Code, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, type GrpcTransportOptions } from "@connectrpc/connect-node";
import { compressions } from "./compressions.js";
import { READ_MAX_BYTES } from "./grpc/client-transport.js";

/** gRPC by connect-node over node:http2. */
export function nodeGrpcTransport(
  baseUrl: string,
  sessionManager: NonNullable<GrpcTransportOptions["sessionManager"]>,
): Transport {
  const acceptCompression = compressions(Code.Internal);
  return createGrpcTransport({ baseUrl, sessionManager, acceptCompression, readMaxBytes: READ_MAX_BYTES });
}
