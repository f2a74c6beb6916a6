import type { DescMethod } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";

export type CallProtocol = "grpc" | "grpc-web" | "connect";

/** The largest message that is read, in bytes. It also limits decompressed messages. */
const readMaxBytes = 64 * 1024 * 1024;

/** A connection to one server. Close it when it is no longer needed. */
export interface Way {
  /** The transport for calls of this kind. */
  for(kind: DescMethod["methodKind"]): Transport;
  close(): void;
}

/**
 * Connects to the server at `baseUrl`: gRPC over HTTP/2; gRPC-Web and Connect over HTTP/1.1, as in browsers, except that
 * bidirectional streams need HTTP/2.
 */
export function openWay(protocol: CallProtocol, baseUrl: string): Way {
  const sessionManager = new Http2SessionManager(baseUrl);
  return {
    for(kind) {
      if (protocol === "grpc") return createGrpcTransport({ baseUrl, sessionManager, readMaxBytes });
      const create = protocol === "connect" ? createConnectTransport : createGrpcWebTransport;
      if (kind === "bidi_streaming") return create({ baseUrl, httpVersion: "2", sessionManager, readMaxBytes });
      return create({ baseUrl, httpVersion: "1.1", readMaxBytes });
    },
    close: () => sessionManager.abort(),
  };
}
