import { type EnvironmentReader, type EnvironmentText, oneOf } from "./environment.js";
import { clientTls, type TlsEnvironment } from "./tls.js";

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
export function renamedTransport(env: EnvironmentText): string | undefined {
  return env.RPC_TRANSPORT?.trim() === "own"
    ? "RPC_TRANSPORT=own is now RPC_TRANSPORT=native; the next release refuses own"
    : undefined;
}

/** How calls are compressed: `gzip` sends long messages compressed, and asks for them. */
export const rpcCompressions = ["off", "gzip"] as const;

/** RPC_COMPRESSION. */
export const rpcCompressionVariable = oneOf(rpcCompressions, "off");

/** What the environment says of the calls that a process makes. */
export interface ClientEnvironment extends TlsEnvironment {
  readonly RPC_TRANSPORT: RpcTransport;
  readonly RPC_COMPRESSION: (typeof rpcCompressions)[number];
}

/** Returns how a process connects to the services that it calls. */
export function connectionsOf(environment: ClientEnvironment) {
  const { RPC_TRANSPORT: transport, RPC_COMPRESSION } = environment;
  return { transport, compress: RPC_COMPRESSION === "gzip", tls: clientTls(environment) };
}
