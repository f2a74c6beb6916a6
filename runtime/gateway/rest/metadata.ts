import type { IncomingHttpHeaders } from "node:http";
import { isMetadataValue } from "../../call/metadata-value.js";
import { errorFor } from "../../errors/error.js";
import { endToEnd } from "../passthrough/headers.js";

/** Headers that speak of this HTTP exchange, or belong to a protocol, and mean nothing, or harm, in the call that it becomes. */
const names = new Set("accept accept-charset accept-encoding date expect range server-timing".split(" "));
const families = /^(access-control-|connect-|content-|grpc-|if-)/;

/** Headers that browsers send by themselves: a caller cannot fix cookies that other programs of the same host have set. */
const unasked = new Set(["cookie", "referer", "user-agent"]);

/** Reserved response headers: a REST response sets its own, and CORS sets `vary`. */
const answerNames = new Set("accept-ranges allow date etag server-timing trailer vary".split(" "));
const answerFamilies = /^(:|access-control-|connect-|content-(?!language$)|grpc-|proxy-)/;

/**
 * The metadata of the call that a REST request becomes: its end-to-end headers, as of a call that is passed on, less those
 * of the exchange.
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

/** Returns the headers of a REST response for its call's metadata. */
export function responseHeaders(metadata: Headers): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of metadata) {
    if (!answerNames.has(name) && !answerFamilies.test(name) && name !== "set-cookie") headers[name] = value;
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
