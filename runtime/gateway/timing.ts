import type { IncomingHttpHeaders } from "node:http";
import { timingHeader, timingRequestHeader } from "../observe/timing.js";

/**
 * The answer's `Server-Timing` header, for a caller that asked for it: the gateway's own time until the answer began,
 * and then what the service measured within it.
 */
export function gatewayTiming(
  request: IncomingHttpHeaders,
  startedAt: number,
  fromService: string | string[] | null | undefined,
): Record<string, string> {
  if (request[timingRequestHeader] !== "1") return {};
  const own = `gateway;dur=${Math.round((performance.now() - startedAt) * 100) / 100}`;
  return { [timingHeader]: [own, fromService || []].flat().join(", ") };
}
