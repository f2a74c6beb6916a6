import { type IncomingMessage, METHODS, type ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { Code } from "@connectrpc/connect";
import { type Hosts, wrongHost } from "../config/hosts.js";
import { type HttpRefusal, sendRefusal } from "./http-error.js";
import { readTarget } from "./request-target.js";

/** The most header fields of one request. node:http2 counts the same. */
export const MAX_HEADER_FIELDS = 128;
/** The most bytes of a request's header fields, as RFC 9113, section 6.5.2 counts them. */
export const MAX_HEADER_BYTES = 16 * 1024;
/** What a gateway adds to the fields that it passes on: the service behind it takes as much as this side. */
const OWN_HEADER_BYTES = 1024;
/** The longest URL, in bytes: the other fields have room beside it. */
export const MAX_URL_BYTES = 15 * 1024;

const knownMethods = new Set(METHODS);

type Request = IncomingMessage | Http2ServerRequest;
type Handle<Q, S> = (request: Q, response: S) => void;

/** Puts the rules that hold for every request, whatever it asks for, before what handles requests. */
export function admitted<Q extends Request, S extends ServerResponse | Http2ServerResponse>(
  handle: Handle<Q, S>,
  hosts?: Hosts,
): Handle<Q, S> {
  return (request, response) => {
    const refusal = admit(request) ?? misdirected(request, hosts);
    if (refusal === undefined) handle(request, response);
    else sendRefusal(response, refusal);
  };
}

/**
 * Looks at a request's target, Host and sizes. Returns why it is refused; else its `url` is a path, or `*` for OPTIONS,
 * and its `headers.host` names the host that was asked for, whichever form the target had (RFC 9112, section 3.2).
 */
function admit(request: Request): HttpRefusal | undefined {
  const { method = "GET", url = "", rawHeaders, httpVersionMajor } = request;
  if (url.length > MAX_URL_BYTES) return urlTooLong;
  const sizes = oversized(rawHeaders);
  if (sizes !== undefined) return sizes;
  if (!knownMethods.has(method)) {
    return { status: 501, code: Code.Unimplemented, message: `${method} is no method that is known here` };
  }
  if (httpVersionMajor === 2) {
    // RFC 9113, section 8.3.1.
    const isPath = url.startsWith("/") || method === "CONNECT" || (url === "*" && method === "OPTIONS");
    return isPath ? undefined : badRequest("the request's :path must be a path");
  }
  const coding = request.headers["transfer-encoding"];
  if (coding !== undefined && coding.toLowerCase() !== "chunked") return unknownCoding;
  const host = hostFault(request as IncomingMessage);
  if (host !== undefined) return host;
  const target = readTarget(method, url);
  if (typeof target === "string") return badRequest(target);
  request.url = target.path;
  if (target.host !== undefined) request.headers.host = target.host;
  return undefined;
}

/** Refuses a host that is none of this process's. */
function misdirected(request: Request, hosts: Hosts | undefined): HttpRefusal | undefined {
  if (hosts === undefined) return undefined;
  const host = (request as Http2ServerRequest).authority ?? request.headers.host;
  if (hosts.allows(host)) return undefined;
  return { status: 421, code: Code.PermissionDenied, message: wrongHost(host as string) };
}

/** RFC 9112, section 3.2: a request of HTTP/1.1 has one Host field. */
function hostFault({ rawHeaders, headers, httpVersionMinor }: IncomingMessage): HttpRefusal | undefined {
  if (headers.host === undefined) {
    return httpVersionMinor === 0 ? undefined : badRequest("the request has no Host header");
  }
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  return hosts === 1 ? undefined : badRequest(`the request has ${hosts} Host headers: send one`);
}

function oversized(rawHeaders: readonly string[]): HttpRefusal | undefined {
  const fields = rawHeaders.length / 2;
  if (fields > MAX_HEADER_FIELDS)
    return tooLarge(`the request has ${fields} header fields: send ${MAX_HEADER_FIELDS} at most`);
  let bytes = fields * 32;
  for (const text of rawHeaders) bytes += text.length;
  return bytes > MAX_HEADER_BYTES - OWN_HEADER_BYTES ? headersTooLarge : undefined;
}

/** RFC 9112, section 6.1. What Node.js hands on is the encoded body, which would be taken for the body itself. */
const unknownCoding: HttpRefusal = {
  status: 501,
  code: Code.Unimplemented,
  message: "the only transfer coding that is known here is chunked",
  headers: { connection: "close" },
};

function badRequest(message: string): HttpRefusal {
  return { status: 400, code: Code.InvalidArgument, message };
}

function tooLarge(message: string): HttpRefusal {
  return { status: 431, code: Code.InvalidArgument, message };
}

export const urlTooLong: HttpRefusal = {
  status: 414,
  code: Code.InvalidArgument,
  message: `the URL is longer than ${MAX_URL_BYTES} bytes`,
};

export const headersTooLarge: HttpRefusal = tooLarge(
  `the URL and headers are larger than ${MAX_HEADER_BYTES / 1024} KiB together`,
);
