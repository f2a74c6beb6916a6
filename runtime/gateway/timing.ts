import type { IncomingHttpHeaders } from "node:http";
import { timingHeader, timingRequestHeader } from "../observe/timing.js";

/**
 * Returns the `Server-Timing` header of a response, if the caller has requested it: the gateway's time until the response began,
 * and then the entries of the service.
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
