import type { IncomingHttpHeaders } from "node:http";
import { isMetadataValue } from "../../call/metadata-value.js";
import { errorFor } from "../../errors/error.js";
import { endToEnd } from "../passthrough/headers.js";

/** Request headers that are not forwarded as metadata: they describe the HTTP exchange, or belong to an RPC protocol. */
const names = new Set("accept accept-charset accept-encoding date expect range server-timing".split(" "));
const families = /^(access-control-|connect-|content-|grpc-|if-)/;

/** Headers that browsers add. They are dropped if invalid, because a page cannot change cookies that another one of its host has set. */
const unasked = new Set(["cookie", "referer", "user-agent"]);

/** Metadata that does not become a response header: a REST response sets its own, and CORS sets `vary`. */
const responseNames = new Set("accept-ranges allow date etag server-timing trailer vary".split(" "));
const responseFamilies = /^(:|access-control-|connect-|content-(?!language$)|grpc-|proxy-)/;

/**
 * Returns the metadata of a REST request's call: the end-to-end headers, as for a forwarded call, except those of the HTTP
 * exchange.
 *
 * @throws ConnectError INVALID_ARGUMENT for a header that gRPC cannot carry
 */
export function requestMetadata(headers: IncomingHttpHeaders): Headers {
  const metadata = new Headers();
  for (const [name, given] of Object.entries(endToEnd(headers))) {
    if (given === undefined || names.has(name) || families.test(name)) continue;
    const value = [given].flat().join(name === "cookie" ? "; " : ", ");
    const fault = faultOf(name, value);
    if (fault !== undefined && unasked.has(name)) continue;
    if (fault !== undefined) throw errorFor("HEADER_INVALID", `the header ${name} ${fault}`);
    metadata.set(name, value);
  }
  return metadata;
}

/** Returns the headers of a REST response for the response metadata of its call. */
export function responseHeaders(metadata: Headers): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of metadata) {
    if (!responseNames.has(name) && !responseFamilies.test(name) && name !== "set-cookie") headers[name] = value;
  }
  const cookies = metadata.getSetCookie();
  return cookies.length === 0 ? headers : { ...headers, "set-cookie": cookies };
}

function faultOf(name: string, value: string): string | undefined {
  if (isMetadataValue(name, value)) return undefined;
  return name.endsWith("-bin")
    ? "must be base64, as its name ends in -bin"
    : "must be printable ASCII: encode its value, or send it in base64 under a name that ends in -bin";
}
