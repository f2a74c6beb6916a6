import type { ClientHttp2Stream } from "node:http2";
import { addAbortSignal } from "node:stream";

const cancelled = AbortSignal.abort();

/**
 * Ends a call over node:http2 with RST_STREAM and CANCEL, and nothing before it. `stream.close` would first end a request that
 * is still being sent, as if it were whole, and the server would carry it out.
 */
export function cancelStream(stream: ClientHttp2Stream): void {
  stream.on("error", () => undefined);
  addAbortSignal(cancelled, stream);
}
