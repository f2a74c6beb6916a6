import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { parseTimeout } from "../grpc/timeout.js";

/** The maximum delay of a timer, 24 days. Node.js replaces a longer one with 1 ms. */
const LONGEST_MS = 2 ** 31 - 1;

/** Returns a Connect handler that ignores timeouts above a timer's maximum delay. */
export function withoutLongTimeouts(handler: UniversalHandler): UniversalHandler {
  const handle = (request: Parameters<UniversalHandler>[0]) => {
    const { header } = request;
    if ((parseTimeout(header.get("grpc-timeout") ?? "") ?? 0) > LONGEST_MS) header.delete("grpc-timeout");
    if (Number(header.get("connect-timeout-ms")) > LONGEST_MS) header.delete("connect-timeout-ms");
    return handler(request);
  };
  return Object.assign(handle, { ...handler });
}
