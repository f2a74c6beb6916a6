import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";

/** Hop-by-hop headers (RFC 9110, section 7.6.1; RFC 9113, section 8.2.2), and `host`. */
const connectionHeaders = new Set([
  "connection",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Returns the end-to-end headers of a message, which are forwarded. Removes hop-by-hop headers and HTTP/2's pseudo-headers. */
export function endToEnd(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = headers.connection?.split(",").map((name) => name.trim().toLowerCase());
  const kept: OutgoingHttpHeaders = {};
  for (const name in headers) {
    if (name.startsWith(":") || connectionHeaders.has(name) || named?.includes(name)) continue;
    kept[name] = headers[name];
  }
  return kept;
}
