import { promisify } from "node:util";
import { brotliDecompress, gunzip } from "node:zlib";
import { type Blame, malformed, tooLong } from "./frame.js";

/** How messages may be compressed. */
export type Encoding = "gzip" | "br";

const unpackers = { gzip: promisify(gunzip), br: promisify(brotliDecompress) };

/**
 * How many messages are unpacked at a time. Each takes memory (brotli up to 16 MiB for its window) and one of the four threads
 * that Node.js has for such work, which files and host names need as well.
 */
const AT_A_TIME = 2;
let unpacking = 0;
const waiting: (() => void)[] = [];

/**
 * Unpacks a message. One that would be longer than `maxBytes` is not unpacked further.
 *
 * @throws ConnectError RESOURCE_EXHAUSTED if it is too long, `blame` if it is not of this encoding
 */
export async function unpack(
  encoding: Encoding,
  bytes: Uint8Array,
  maxBytes: number,
  blame: Blame,
): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes.length === 0) return new Uint8Array(0);
  if (unpacking === AT_A_TIME) await new Promise<void>((resolve) => waiting.push(resolve));
  else unpacking++;
  try {
    return (await unpackers[encoding](bytes, { maxOutputLength: maxBytes })) as Uint8Array<ArrayBuffer>;
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") throw tooLong(undefined, maxBytes);
    throw malformed(blame, `a message is not valid ${encoding}`, error);
  } finally {
    const next = waiting.shift();
    if (next === undefined) unpacking--;
    else next();
  }
}
