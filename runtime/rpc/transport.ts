import { oneOf, readEnvironment } from "./environment.js";

/**
 * What carries calls: `own` is this package's HTTP/2 and gRPC; `node` is connect-node over node:http2, to fall back to.
 */
export const rpcTransports = ["own", "node"] as const;
export type RpcTransport = (typeof rpcTransports)[number];

/** RPC_TRANSPORT. */
export const rpcTransportVariable = oneOf(rpcTransports, "own");

/** What the environment chooses. Throws an EnvironmentError if it says something else. */
export function rpcTransport(): RpcTransport {
  return readEnvironment({ RPC_TRANSPORT: rpcTransportVariable }).RPC_TRANSPORT;
}
