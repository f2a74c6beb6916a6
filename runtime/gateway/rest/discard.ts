import type { IncomingMessage } from "node:http";

const MOST_BYTES = 32 * 1024 * 1024;
const LONGEST_MS = 3_000;

/**
 * Reads what is still to come of a body that nobody wants, before its connection is closed: a socket that is closed over
 * unread input is reset, and the caller would lose the answer that says why (RFC 9112, section 9.6). Gives up after
 * 32 MiB or 3 s.
 */
export function discard(request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let bytes = 0;
    const count = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) done();
    };
    const timer = setTimeout(done, LONGEST_MS);
    function done() {
      clearTimeout(timer);
      request.off("data", count).off("end", done).off("close", done);
      resolve();
    }
    request.on("data", count).once("end", done).once("close", done).resume();
  });
}
