import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { PREFIX, setPrefix } from "./frame.js";

/** The minimum size of compressed messages by default, in bytes. In a local network, smaller ones arrive sooner uncompressed. */
export const COMPRESS_MIN_BYTES = 16 * 1024;

/** The zlib level. It compresses almost as much as the default level, in half the time. */
export const GZIP_LEVEL = 4;
/** A message that shrinks by less than a tenth is sent uncompressed, which saves its reader the decompression. */
const WORTHWHILE = 0.9;

/** The value of `grpc-accept-encoding`. */
export const acceptedEncodings = "gzip,identity";

const compress = promisify(gzip);

/** Returns whether a value of `grpc-accept-encoding` lists gzip. */
export function acceptsGzip(encodings: string | undefined): boolean {
  if (encodings === undefined) return false;
  return encodings === "gzip" || encodings.split(",").some((encoding) => encoding.trim() === "gzip");
}

/**
 * Returns a copy of a framed message, compressed if that is worthwhile. The input is copied before the function returns its
 * promise, so that its buffer can be reused.
 */
export async function compressFrame(framed: Uint8Array): Promise<Uint8Array> {
  const copy = new Uint8Array(framed);
  const bytes = await compress(copy.subarray(PREFIX), { level: GZIP_LEVEL });
  if (bytes.length > (copy.length - PREFIX) * WORTHWHILE) return copy;
  const compressed = new Uint8Array(PREFIX + bytes.length);
  compressed.set(bytes, PREFIX);
  setPrefix(compressed, 1);
  return compressed;
}
