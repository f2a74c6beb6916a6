import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { parseTimeout } from "../grpc/timeout.js";

/** The maximum duration of a timer, 24 days; Node.js replaces longer ones by 1 ms. */
const LONGEST_MS = 2 ** 31 - 1;

/** Makes a Connect handler ignore timeouts that exceed a timer's maximum. */
export function withoutLongTimeouts(handler: UniversalHandler): UniversalHandler {
  const handle = (request: Parameters<UniversalHandler>[0]) => {
    const { header } = request;
    if ((parseTimeout(header.get("grpc-timeout") ?? "") ?? 0) > LONGEST_MS) header.delete("grpc-timeout");
    if (Number(header.get("connect-timeout-ms")) > LONGEST_MS) header.delete("connect-timeout-ms");
    return handler(request);
  };
  return Object.assign(handle, { ...handler });
}
