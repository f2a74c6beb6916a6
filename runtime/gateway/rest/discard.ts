import type { IncomingMessage } from "node:http";

const MAX_BYTES = 32 * 1024 * 1024;
const MAX_MS = 3_000;

/**
 * Reads and discards the rest of a refused body before its connection is closed. TCP resets a connection that is closed with
 * unread input, and the caller would lose the error response (RFC 9112, section 9.6). Stops after 32 MiB or 3 s.
 */
export function discard(request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let bytes = 0;
    const count = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) done();
    };
    const timer = setTimeout(done, MAX_MS);
    function done() {
      clearTimeout(timer);
      request.off("data", count).off("end", done).off("close", done);
      resolve();
    }
    request.on("data", count).once("end", done).once("close", done).resume();
  });
}
