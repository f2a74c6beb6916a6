import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { PREFIX, setPrefix } from "./frame.js";

/** Messages below this are sent as they are: compressing them costs more than it saves. */
export const COMPRESS_MIN_BYTES = 1024;

/** Encodings as `grpc-accept-encoding` lists them. */
export const acceptedEncodings = "gzip,identity";

/** A framed message, compressed, in a frame of its own. What is given may change once this has been called. */
export async function compressFrame(framed: Uint8Array): Promise<Uint8Array> {
  const bytes = await promisify(gzip)(new Uint8Array(framed.subarray(PREFIX)));
  const compressed = new Uint8Array(PREFIX + bytes.length);
  compressed.set(bytes, PREFIX);
  setPrefix(compressed, 1);
  return compressed;
}
