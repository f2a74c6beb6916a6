import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { PREFIX, setPrefix } from "./frame.js";

/** The shortest message that is compressed by default, in bytes: between machines near to each other, shorter ones are sent sooner. */
export const COMPRESS_MIN_BYTES = 16 * 1024;

/** Compresses almost as much as the usual level, in half the time. */
export const GZIP_LEVEL = 4;
/** A message that shrinks by less than a tenth is sent as it is: its reader need not unpack it. */
const WORTHWHILE = 0.9;

/** Encodings as `grpc-accept-encoding` lists them. */
export const acceptedEncodings = "gzip,identity";

const compress = promisify(gzip);

/** Whether a list of encodings, as `grpc-accept-encoding` has it, names gzip. */
export function acceptsGzip(encodings: string | undefined): boolean {
  if (encodings === undefined) return false;
  return encodings === "gzip" || encodings.split(",").some((encoding) => encoding.trim() === "gzip");
}

/**
 * A framed message, in a frame of its own, compressed if that makes it enough shorter. What is given may change once this
 * has been called.
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
