import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

/** One connection for each origin, shared by all clients of this process. */
const connections = new Map<string, Http2SessionManager>();

/**
 * gRPC over HTTP/2. The connection is opened by the first call, again after it broke, and closed after 15 minutes without
 * one; it does not keep the process alive. A peer that does not answer a PING is given up, so that calls do not hang on
 * a machine that is gone without having said so.
 */
export function grpcTransport(baseUrl: string): Transport {
  const { origin } = new URL(baseUrl);
  let sessionManager = connections.get(origin);
  if (!sessionManager) {
    sessionManager = new Http2SessionManager(origin, { pingIntervalMs: 30_000, pingTimeoutMs: 5_000 });
    connections.set(origin, sessionManager);
  }
  return createGrpcTransport({ baseUrl, sessionManager });
}
