import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { own } from "../codec/message.js";
import type { MessageCompression, ServicePolicy } from "../spec/policy.js";
import { COMPRESS_MIN_BYTES } from "./gzip.js";

/** The contracts' compression options, registered by the clients of their services. */
const registered = new WeakMap<DescMethod, MessageCompression>();

/** Registers a contract's compression options for the transports of this process. */
export function registerCompression<S extends DescService>(service: S, policy: ServicePolicy<S>): void {
  for (const method of service.methods) {
    const compression = own(policy, method.localName as keyof S["method"])?.compression;
    if (compression !== undefined) registered.set(method, compression);
  }
}

/** The compression of a method's messages by a client. */
export interface ClientCompression {
  /** Whether long requests are compressed, and compressed responses are accepted. */
  readonly isGzip: boolean;
  /** The minimum size of a compressed request, in bytes. */
  readonly minBytes: number;
}

/** Whether a client compresses long messages with gzip, and tells servers that it accepts gzip. It decompresses gzip in any case. */
export interface CompressionChoice {
  /** Default: the contract's option for each method. */
  readonly compress?: boolean | undefined;
  /** Applies to methods without an option in the contract. Default: false. */
  readonly compressByDefault?: boolean | undefined;
}

/** Returns a function for each method's compression: the client's option, else the contract's, else the client's default. */
export function clientCompression({
  compress,
  compressByDefault = false,
}: CompressionChoice): (method: DescMethod) => ClientCompression {
  return (method) => {
    const { algorithm, minBytes = COMPRESS_MIN_BYTES } = registered.get(method) ?? {};
    const ofContract = algorithm === undefined ? undefined : algorithm === "gzip";
    return { isGzip: compress ?? ofContract ?? compressByDefault, minBytes };
  };
}

/** Returns the minimum size of a compressed response in bytes; undefined if the service's environment decides. */
export function responseMinBytes({ algorithm, minBytes }: MessageCompression = {}): number | undefined {
  return algorithm === "identity" ? Number.POSITIVE_INFINITY : minBytes;
}
