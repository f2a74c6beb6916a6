import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { decompress, type Encoding } from "../grpc/decompress.js";
import type { MalformedCode } from "../grpc/frame.js";
import { GZIP_LEVEL } from "../grpc/gzip.js";

const BROTLI_QUALITY = 4;

const [gzipBytes, brotliBytes] = [promisify(gzip), promisify(brotliCompress)];

/** Replaces Connect's compressors, which use zlib's highest levels: brotli takes more than a second for a megabyte. */
const compressors = {
  gzip: (bytes: Uint8Array) => gzipBytes(bytes, { level: GZIP_LEVEL }),
  br: (bytes: Uint8Array) => brotliBytes(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
} satisfies Record<Encoding, (bytes: Uint8Array) => Promise<Uint8Array>>;

/** Returns the option `acceptCompression` of Connect's handlers and clients. */
export function compressions(malformedCode: MalformedCode): (typeof compressionGzip)[] {
  return [compressionGzip, compressionBrotli].map((compression) => ({
    ...compression,
    compress: async (bytes) => new Uint8Array(await compressors[compression.name as Encoding](bytes)),
    decompress: (bytes, maxBytes) => decompress(compression.name as Encoding, bytes, maxBytes, malformedCode),
  }));
}
