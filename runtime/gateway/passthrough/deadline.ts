import type { OutgoingHttpHeaders } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import { errorFor } from "../../errors/error.js";
import type { MethodPolicy } from "../../spec/policy.js";
import type { Protocol } from "./protocol.js";

/** The maximum duration of a Node.js timer. */
const longestTimer = 2 ** 31 - 1;

/**
 * The milliseconds that a call may take: the caller's or the contract's, whichever is less. A caller that sent no
 * deadline gets the contract's written into the headers that go on.
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

/** Runs `onPassed` when the deadline passes; returns a function that cancels it. */
export function startDeadline(timeoutMs: number | undefined, onPassed: (error: ConnectError) => void): () => void {
  if (timeoutMs === undefined || timeoutMs > longestTimer) return () => undefined;
  const timer = setTimeout(
    () => onPassed(errorFor("DEADLINE_EXCEEDED", `the deadline of ${timeoutMs} ms has passed`)),
    timeoutMs,
  );
  return () => clearTimeout(timer);
}
