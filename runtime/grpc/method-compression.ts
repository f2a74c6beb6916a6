import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { own } from "../codec/message.js";
import type { MessageCompression, ServicePolicy } from "../spec/policy.js";
import { COMPRESS_MIN_BYTES } from "./gzip.js";

/** What contracts say of compression, as clients of their services have brought it along. */
const known = new WeakMap<DescMethod, MessageCompression>();

/** Registers a contract's compression options for the transports of this process. */
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

/** Whether a client compresses long messages with gzip, and accepts such responses. It can decompress them in any case. */
export interface CompressionChoice {
  /** Default: as the contract says of each method. */
  readonly compress?: boolean | undefined;
  /** What holds where the contract says nothing either. Default: false. */
  readonly compressByDefault?: boolean | undefined;
}

/** Says how a client compresses each method's messages: as its own option says, else the contract, else its default. */
export function clientCompression({
  compress,
  compressByDefault = false,
}: CompressionChoice): (method: DescMethod) => ClientCompression {
  return (method) => {
    const { algorithm, minBytes = COMPRESS_MIN_BYTES } = known.get(method) ?? {};
    const contracts = algorithm === undefined ? undefined : algorithm === "gzip";
    return { isGzip: compress ?? contracts ?? compressByDefault, minBytes };
  };
}

/** The shortest response that a service compresses for those who accept it; undefined: as its environment says. */
export function responseMinBytes({ algorithm, minBytes }: MessageCompression = {}): number | undefined {
  return algorithm === "identity" ? Number.POSITIVE_INFINITY : minBytes;
}
