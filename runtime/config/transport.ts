import { type EnvironmentReader, oneOf, readEnvironment } from "./environment.js";

/**
 * What carries calls: `native` is this package's HTTP/2 and gRPC; `node` is connect-node over node:http2, to fall back to.
 */
export const rpcTransports = ["native", "node"] as const;
export type RpcTransport = (typeof rpcTransports)[number];

const oneOfTransports = oneOf(rpcTransports, "native");

/** RPC_TRANSPORT. */
export const rpcTransportVariable: EnvironmentReader<RpcTransport> = {
  ...oneOfTransports,
  // The former name of `native`.
  parse: (text, env) => (text === "own" ? "native" : oneOfTransports.parse(text, env)),
};

/** Returns what to log of RPC_TRANSPORT if its value has another name now. */
export function renamedTransport(env: Readonly<Record<string, string | undefined>>): string | undefined {
  return env.RPC_TRANSPORT?.trim() === "own"
    ? "RPC_TRANSPORT=own is now RPC_TRANSPORT=native; the next release refuses own"
    : undefined;
}

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
