import type { IncomingHttpHeaders } from "node:http";

/** Headers that speak of the HTTP exchange itself, or of a protocol, and mean nothing, or harm, in another exchange. */
const names = new Set(
  (
    "accept allow connection cookie date etag expect forwarded host keep-alive origin range referer server-timing " +
    "te trailer transfer-encoding upgrade user-agent vary via"
  ).split(" "),
);
const families = /^(:|accept-|access-control-|connect-|content-|grpc-|http2-|if-|proxy-|sec-|upgrade-)/;

function ofTheExchange(name: string): boolean {
  return names.has(name) || families.test(name);
}

/** The metadata of the call that a REST request becomes: its headers, less those of the HTTP exchange. */
export function requestMetadata(headers: IncomingHttpHeaders): Headers {
  const metadata = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !ofTheExchange(name)) metadata.set(name, [value].flat().join(", "));
  }
  return metadata;
}

/** The headers of a REST answer that its call's metadata becomes. */
export function responseHeaders(metadata: Headers): Record<string, string> {
  return Object.fromEntries([...metadata].filter(([name]) => !ofTheExchange(name)));
}
