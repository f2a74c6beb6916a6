import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { parseTimeout } from "../grpc/timeout.js";

/** The longest that a timer runs, 24 days; Node.js takes 1 ms for what is longer. */
const LONGEST_MS = 2 ** 31 - 1;

/** Has a handler of Connect's, which sets a timer for each timeout, take one that is longer than any timer runs for none. */
export function withoutLongTimeouts(handler: UniversalHandler): UniversalHandler {
  const handle = (request: Parameters<UniversalHandler>[0]) => {
    const { header } = request;
    if ((parseTimeout(header.get("grpc-timeout") ?? "") ?? 0) > LONGEST_MS) header.delete("grpc-timeout");
    if (Number(header.get("connect-timeout-ms")) > LONGEST_MS) header.delete("connect-timeout-ms");
    return handler(request);
  };
  return Object.assign(handle, { ...handler });
}
