import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { Blame } from "./grpc/frame.js";
import { type Encoding, unpack } from "./grpc/unpack.js";

/** How Connect's own handlers and clients compress and unpack, as their option `acceptCompression`. */
export function compressions(blame: Blame): (typeof compressionGzip)[] {
  return [compressionGzip, compressionBrotli].map((compression) => ({
    ...compression,
    decompress: (bytes, maxBytes) => unpack(compression.name as Encoding, bytes, maxBytes, blame),
  }));
}
