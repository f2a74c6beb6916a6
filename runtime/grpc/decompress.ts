import { promisify } from "node:util";
import { brotliDecompress, gunzip } from "node:zlib";
import { type MalformedCode, malformed, tooLong } from "./frame.js";

/** The supported encodings of compressed messages. */
export type Encoding = "gzip" | "br";

const decompressors = { gzip: promisify(gunzip), br: promisify(brotliDecompress) };

/**
 * The maximum number of messages that are decompressed at the same time. Each of them takes memory (brotli up to 16 MiB for its
 * window) and one of libuv's four threads, which file access and DNS look-ups need, too.
 */
const MAX_CONCURRENT = 2;
let running = 0;
const waiting: (() => void)[] = [];

/**
 * Decompresses a message. Stops as soon as the output is longer than `maxBytes`.
 *
 * @throws ConnectError RESOURCE_EXHAUSTED if the output is too long, `malformedCode` if the input is invalid
 */
export async function decompress(
  encoding: Encoding,
  bytes: Uint8Array,
  maxBytes: number,
  malformedCode: MalformedCode,
): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes.length === 0) return new Uint8Array(0);
  if (running === MAX_CONCURRENT) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return (await decompressors[encoding](bytes, { maxOutputLength: maxBytes })) as Uint8Array<ArrayBuffer>;
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") throw tooLong(undefined, maxBytes);
    throw malformed(malformedCode, `a message is not valid ${encoding}`, error);
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}
