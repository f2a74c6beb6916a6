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

/** How calls are compressed: `gzip` sends long messages compressed, and asks for them. */
export const rpcCompressions = ["off", "gzip"] as const;

/** RPC_COMPRESSION. */
export const rpcCompressionVariable = oneOf(rpcCompressions, "off");

/** Whether the environment has this process's clients compress. Throws an EnvironmentError if it says neither. */
export function clientsCompress(): boolean {
  return readEnvironment({ RPC_COMPRESSION: rpcCompressionVariable }).RPC_COMPRESSION === "gzip";
}
