import type { DescMethod } from "@bufbuild/protobuf";
import { Code, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, type GrpcTransportOptions } from "@connectrpc/connect-node";
import { compressions } from "../connect/compressions.js";
import { withCodecs } from "../connect/opaque-messages.js";
import { MAX_RESPONSE_BYTES } from "../grpc/client-transport.js";
import { type CompressionChoice, clientCompression } from "../grpc/method-compression.js";

type Compression = ReturnType<typeof compressions>[number];

/** gRPC by connect-node over node:http2. */
export function nodeGrpcTransport(
  baseUrl: string,
  sessionManager: NonNullable<GrpcTransportOptions["sessionManager"]>,
  compression: CompressionChoice = {},
): Transport {
  const known = compressions(Code.Internal);
  const compressionOf = clientCompression(compression);
  const transports = new Map<string, Transport>();
  return {
    unary: (method, ...call) => transportFor(method).unary(method, ...call),
    stream: (method, ...call) => transportFor(method).stream(method, ...call),
  };

  /** Connect's transports compress all methods alike, so there is one for each way. */
  function transportFor(method: DescMethod): Transport {
    const { isGzip, minBytes } = compressionOf(method);
    const key = isGzip ? `gzip ${minBytes}` : "identity";
    let transport = transports.get(key);
    if (transport === undefined) {
      const connects = createGrpcTransport({
        baseUrl,
        sessionManager,
        ...(isGzip
          ? { acceptCompression: known, sendCompression: known[0] as Compression }
          : { acceptCompression: [] }),
        compressMinBytes: minBytes,
        readMaxBytes: MAX_RESPONSE_BYTES,
      });
      transport = withCodecs(connects);
      transports.set(key, transport);
    }
    return transport;
  }
}
