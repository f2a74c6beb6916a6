import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { own } from "../codec/message.js";
import { clientsCompress } from "../config/transport.js";
import type { MessageCompression, ServicePolicy } from "../spec/policy.js";
import { COMPRESS_MIN_BYTES } from "./gzip.js";

/** What contracts say of compression, as clients of their services have brought it along. */
const known = new WeakMap<DescMethod, MessageCompression>();

/** Makes known what a contract says of compression to the transports of this process. */
export function knowCompression<S extends DescService>(service: S, policy: ServicePolicy<S>): void {
  for (const method of service.methods) {
    const compression = own(policy, method.localName as keyof S["method"])?.compression;
    if (compression !== undefined) known.set(method, compression);
  }
}

/** How a client compresses the messages of a method. */
export interface ClientCompression {
  /** Whether long requests are sent compressed, and responses asked for that may be. */
  readonly isGzip: boolean;
  /** The shortest request that is compressed, in bytes. */
  readonly minBytes: number;
}

/**
 * Says how a client compresses each method's messages: as its own option says, else the contract, else the environment.
 *
 * @throws EnvironmentError if RPC_COMPRESSION says something else
 */
export function clientCompression(compress: boolean | undefined): (method: DescMethod) => ClientCompression {
  const byDefault = clientsCompress();
  return (method) => {
    const { algorithm, minBytes = COMPRESS_MIN_BYTES } = known.get(method) ?? {};
    const contracts = algorithm === undefined ? undefined : algorithm === "gzip";
    return { isGzip: compress ?? contracts ?? byDefault, minBytes };
  };
}

/** The shortest response that a service compresses for those who accept it; undefined: as its environment says. */
export function responseMinBytes({ algorithm, minBytes }: MessageCompression = {}): number | undefined {
  return algorithm === "identity" ? Number.POSITIVE_INFINITY : minBytes;
}
