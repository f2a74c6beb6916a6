import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { ConnectError } from "@connectrpc/connect";
import { type Blame, PREFIX, setPrefix, tooLong } from "./frame.js";

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

/** The bytes of a compressed message. One that would be longer than `maxBytes` is not unpacked further. */
export async function decompress(bytes: Uint8Array, maxBytes: number, blame: Blame): Promise<Uint8Array> {
  if (bytes.length === 0) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") throw tooLong(undefined, maxBytes);
    throw new ConnectError("a message is not valid gzip", blame, undefined, undefined, error);
  }
}
