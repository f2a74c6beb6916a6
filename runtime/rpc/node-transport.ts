import { Code, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, type GrpcTransportOptions } from "@connectrpc/connect-node";
import { withCodecs } from "./carried.js";
import { compressions } from "./compressions.js";
import { READ_MAX_BYTES } from "./grpc/client-transport.js";
import { COMPRESS_MIN_BYTES } from "./grpc/gzip.js";

type Compression = ReturnType<typeof compressions>[number];

/** gRPC by connect-node over node:http2. */
export function nodeGrpcTransport(
  baseUrl: string,
  sessionManager: NonNullable<GrpcTransportOptions["sessionManager"]>,
  compress = false,
): Transport {
  const known = compressions(Code.Internal);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    ...(compress ? { acceptCompression: known, sendCompression: known[0] as Compression } : { acceptCompression: [] }),
    compressMinBytes: COMPRESS_MIN_BYTES,
    readMaxBytes: READ_MAX_BYTES,
  });
  return withCodecs(transport);
}
