import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { Blame } from "../grpc/frame.js";
import { GZIP_LEVEL } from "../grpc/gzip.js";
import { type Encoding, unpack } from "../grpc/unpack.js";

const BROTLI_QUALITY = 4;

const [gzipBytes, brotliBytes] = [promisify(gzip), promisify(brotliCompress)];

/** Connect's own take the levels of zlib that compress the most: brotli a second and more for a megabyte. */
const compressors = {
  gzip: (bytes: Uint8Array) => gzipBytes(bytes, { level: GZIP_LEVEL }),
  br: (bytes: Uint8Array) => brotliBytes(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
} satisfies Record<Encoding, (bytes: Uint8Array) => Promise<Uint8Array>>;

/** How Connect's own handlers and clients compress and unpack, as their option `acceptCompression`. */
export function compressions(blame: Blame): (typeof compressionGzip)[] {
  return [compressionGzip, compressionBrotli].map((compression) => ({
    ...compression,
    compress: async (bytes) => new Uint8Array(await compressors[compression.name as Encoding](bytes)),
    decompress: (bytes, maxBytes) => unpack(compression.name as Encoding, bytes, maxBytes, blame),
  }));
}
