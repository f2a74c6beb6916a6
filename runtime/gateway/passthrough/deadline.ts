import type { OutgoingHttpHeaders } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import { errorFor } from "../../errors/error.js";
import type { MethodPolicy } from "../../spec/policy.js";
import type { Protocol } from "./protocol.js";

/** The maximum delay of a Node.js timer, in milliseconds. */
const longestTimer = 2 ** 31 - 1;

/**
 * Returns the timeout of a call in milliseconds: the caller's or the contract's, whichever is less; undefined if there is none.
 * If the caller sent no timeout, the contract's is added to the forwarded headers.
 */
export function applyDeadline(
  headers: OutgoingHttpHeaders,
  protocol: Protocol,
  policy: MethodPolicy | undefined,
): number | undefined {
  const header = headers[protocol.timeoutHeader];
  const asked = typeof header === "string" ? protocol.parseTimeout(header) : undefined;
  const allowed = policy?.timeoutMs;
  if (header === undefined && allowed !== undefined) headers[protocol.timeoutHeader] = protocol.formatTimeout(allowed);
  return asked === undefined ? allowed : Math.min(asked, allowed ?? asked);
}

/** Calls `onPassed` when the deadline passes. Returns a function that cancels that. */
export function startDeadline(timeoutMs: number | undefined, onPassed: (error: ConnectError) => void): () => void {
  if (timeoutMs === undefined || timeoutMs > longestTimer) return () => undefined;
  const timer = setTimeout(
    () => onPassed(errorFor("DEADLINE_EXCEEDED", `the deadline of ${timeoutMs} ms has passed`)),
    timeoutMs,
  );
  return () => clearTimeout(timer);
}
