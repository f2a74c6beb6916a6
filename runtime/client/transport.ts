import type { ConnectionOptions } from "node:tls";
import type { Transport } from "@connectrpc/connect";
import { processClientTls } from "../config/tls.js";
import { clientsCompress, rpcTransport } from "../config/transport.js";
import { createNativeTransport } from "../grpc/client-transport.js";
import { type Carrier, saysItself } from "./attempt.js";
import { nodeFailure } from "./node-failures.js";
import { NodeSessions } from "./node-sessions.js";
import { nodeGrpcTransport } from "./node-transport.js";

/** One transport for each address, and one connection for each origin, shared by all clients of this process. */
const transports = new Map<string, Carrier>();
const sessions = new Map<string, NodeSessions>();

/**
 * gRPC over HTTP/2. The connection is opened by the first call, again after it broke, and closed after 15 minutes without
 * one; it does not keep the process alive. A peer that does not answer a PING is given up, so that calls do not hang on
 * a machine that is gone without having said so. The environment's RPC_TRANSPORT says whose HTTP/2 it is,
 * its RPC_COMPRESSION whether long messages are compressed, unless `compress` or the contract does, and its TLS_* variables whom an https:// address is believed and what it is shown.
 */
export function grpcTransport(baseUrl: string, compress?: boolean): Carrier {
  const kind = rpcTransport();
  const key = `${kind} ${compress ?? `RPC_COMPRESSION=${clientsCompress()}`} ${baseUrl}`;
  let transport = transports.get(key);
  if (transport === undefined) {
    transport =
      kind === "native"
        ? { transport: createNativeTransport(baseUrl, { tls: tlsOf(baseUrl), compress }), failure: saysItself }
        : { transport: nodeTransport(baseUrl, compress), failure: nodeFailure };
    transports.set(key, transport);
  }
  return transport;
}

function nodeTransport(baseUrl: string, compress: boolean | undefined): Transport {
  const { origin } = new URL(baseUrl);
  let session = sessions.get(origin);
  if (session === undefined) {
    session = new NodeSessions(origin, { pingIntervalMs: 30_000, pingTimeoutMs: 5_000, tls: tlsOf(baseUrl) });
    sessions.set(origin, session);
  }
  return nodeGrpcTransport(baseUrl, session, compress);
}

function tlsOf(baseUrl: string): ConnectionOptions {
  return new URL(baseUrl).protocol === "https:" ? processClientTls() : {};
}
