import type { DescMethod } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  type ConnectRouterOptions,
  type ContextKey,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import {
  encodeEnvelope,
  pipe,
  readAllBytes,
  transformDecompressEnvelope,
  transformSplitEnvelope,
} from "@connectrpc/connect/protocol";
import { codecOf } from "../codec/known.js";
import { base64Bytes } from "../codec/protojson/base64.js";
import { errorFor } from "../errors/error.js";
import { tooLong } from "../grpc/frame.js";
import { carry } from "./carried.js";
import { explains } from "./explain.js";

/** Reads a request in binary. Throws a ConnectError, INVALID_ARGUMENT, if the bytes are none. */
export type ReadRequest = (bytes: Uint8Array) => unknown;

type UniversalHandler = ConnectRouter["handlers"][number];
type UniversalRequest = Parameters<UniversalHandler>[0];
type Compression = NonNullable<ConnectRouterOptions["acceptCompression"]>[number];
type Implementation = (request: unknown, context: HandlerContext) => unknown;

/** What bounds a body, and what unpacks it: as Connect's handlers are made with. */
export type BodyOptions = Pick<ConnectRouterOptions, "acceptCompression" | "readMaxBytes">;

/** The messages of one call, in their order, or promises of them, while Connect sees empty ones go by. */
class Requests {
  readonly #messages: unknown[] = [];

  add(message: unknown): void {
    // The call may end before the promise is awaited.
    if (message instanceof Promise) message.catch(() => undefined);
    this.#messages.push(message);
  }

  take(): unknown {
    return this.#messages.shift();
  }
}

/** An empty message in binary. */
const EMPTY = new Uint8Array(0);

const requestsOf: ContextKey<Requests | undefined> = createContextKey<Requests | undefined>(undefined);

/** Makes a Connect handler use binary requests decoded by `read`, because Connect does not accept custom codecs. */
export function readsRequests(handler: UniversalHandler, read: ReadRequest, options: BodyOptions): UniversalHandler {
  return Object.assign((request: UniversalRequest) => handler(withRead(request, read, options)), {
    ...handler,
  });
}

/**
 * Has an implementation take what was read in place of what Connect gives it, and gives Connect what it answers as Connect can
 * write it. To Connect, it is the implementation of `carriedMethod(method)`.
 */
export function takesRequests(method: DescMethod, implementation: Implementation): Implementation {
  const { methodKind } = method;
  const takesMany = methodKind === "client_streaming" || methodKind === "bidi_streaming";
  const output = codecOf(method.output);
  const call = (request: unknown, context: HandlerContext) => {
    checkVersion(context);
    const requests = context.values.get(requestsOf);
    if (requests === undefined) throw new Error("a request was not read");
    // The method, not how Connect knows it.
    const own = Object.assign(context, { method });
    if (takesMany) return implementation(each(request as AsyncIterable<unknown>, requests), own);
    const read = requests.take();
    return read instanceof Promise ? read.then((message) => implementation(message, own)) : implementation(read, own);
  };
  const write = (message: unknown, { values }: HandlerContext) => {
    try {
      return carry(output, message);
    } catch (error) {
      throw values.get(explains)(error);
    }
  };
  if (methodKind === "unary" || methodKind === "client_streaming") {
    return async (request, context) => write(await call(request, context), context);
  }
  return async function* (request, context) {
    const answers = (await call(request, context)) as AsyncIterable<unknown>;
    for await (const answer of answers) yield write(answer, context);
  };
}

async function* each(empty: AsyncIterable<unknown>, requests: Requests) {
  for await (const _ of empty) yield requests.take();
}

/** The same request with empty messages; itself where there is nothing to read, or Connect refuses it in any case. */
function withRead(request: UniversalRequest, read: ReadRequest, options: BodyOptions): UniversalRequest {
  const { method, header, body } = request;
  if (method === "GET") return withReadQuery(request, read, options);
  const kind = kindOf(header.get("content-type") ?? "");
  if (method !== "POST" || kind === undefined || !isStream(body)) return request;
  const encoding = header.get(kind.encodingHeader) ?? "identity";
  const compression = options.acceptCompression?.find(({ name }) => name === encoding) ?? null;
  if (compression === null && encoding !== "identity") return request;
  const { readMaxBytes = 0xffff_ffff } = options;
  const requests = new Requests();
  const contextValues = (request.contextValues ?? createContextValues()).set(requestsOf, requests);
  if (kind.isFramed) {
    return { ...request, contextValues, body: framed(body, compression, readMaxBytes, read, requests) };
  }
  const length = header.get("content-length");
  return {
    ...request,
    contextValues,
    header: unpacked(header),
    body: whole(body, length, compression, readMaxBytes, read, requests),
  };
}

/**
 * The same call by Connect's GET (https://connectrpc.com/docs/protocol#unary-get-request), its message taken out of the URL to be
 * read; itself where Connect refuses it in any case.
 *
 * @param format the `encoding` that `read` is for
 */
export function withReadQuery(
  request: UniversalRequest,
  read: ReadRequest,
  options: BodyOptions,
  format: "proto" | "json" = "proto",
): UniversalRequest {
  const url = new URL(request.url);
  const { searchParams: query } = url;
  const encoding = query.get("compression") ?? "identity";
  const compression = options.acceptCompression?.find(({ name }) => name === encoding) ?? null;
  if (query.get("encoding") !== format || (compression === null && encoding !== "identity")) return request;
  const { readMaxBytes = 0xffff_ffff } = options;
  const { search } = url;
  const requests = new Requests();
  requests.add(
    (async () => {
      const parameters = parametersOf(search);
      const text = parameters.get("message");
      if (text === undefined) throw errorFor("REQUEST_MALFORMED", "the query has no message");
      const bytes = parameters.get("base64") === "1" ? fromBase64(text) : new TextEncoder().encode(text);
      if (bytes.length > readMaxBytes) throw tooLong(bytes.length, readMaxBytes);
      return read(compression === null ? bytes : await compression.decompress(bytes, readMaxBytes));
    })(),
  );
  for (const name of ["message", "base64", "compression"]) query.delete(name);
  const contextValues = (request.contextValues ?? createContextValues()).set(requestsOf, requests);
  return { ...request, url: url.href, contextValues };
}

/** What `withReadQuery` has read of a call by GET; undefined of any other. */
export function takeRead({ values }: HandlerContext): unknown {
  return values.get(requestsOf)?.take();
}

/** The protocol's own parameters; others mean nothing. */
const known = new Set(["connect", "encoding", "base64", "compression", "message"]);

/**
 * A query's parameters, to the letter: URLSearchParams takes what is half right.
 *
 * @throws ConnectError INVALID_ARGUMENT if its percent-encoding is not UTF-8, or one of the protocol's own is there twice
 */
function parametersOf(search: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const part of search.slice(1).replaceAll("+", " ").split("&")) {
    const [name = "", value = ""] = part.split(/=(.*)/s).map(percentDecoded);
    if (parameters.has(name) && known.has(name)) throw errorFor("REQUEST_MALFORMED", `the query has ${name} twice`);
    parameters.set(name, value);
  }
  return parameters;
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw errorFor("REQUEST_MALFORMED", "the percent-encoding of the URL is broken");
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const bytes = base64Bytes(text);
  if (typeof bytes === "string") throw errorFor("REQUEST_MALFORMED", `message ${bytes}`);
  return bytes;
}

/**
 * Refuses a call of another version of Connect's protocol. One that says none is taken for this one.
 *
 * @throws ConnectError INVALID_ARGUMENT
 */
export function checkVersion({ protocolName, requestMethod, requestHeader, url }: HandlerContext): void {
  if (protocolName !== "connect") return;
  const [name, spoken] = requestMethod === "GET" ? ["connect", "v1"] : ["connect-protocol-version", "1"];
  const version = requestMethod === "GET" ? new URL(url).searchParams.get(name!) : requestHeader.get(name!);
  if (version === null || version === spoken) return;
  throw errorFor("REQUEST_MALFORMED", `${name} must be ${spoken}, and is ${JSON.stringify(version)}`);
}

interface Kind {
  readonly isFramed: boolean;
  readonly encodingHeader: string;
}

const contentTypes = /^application\/(?:(grpc(?:-web)?)(?:\+proto)?|(connect\+)?proto)$/i;

/** Returns the encoding of a binary request, or undefined for any other. */
function kindOf(contentType: string): Kind | undefined {
  const match = contentTypes.exec(contentType);
  if (match === null) return undefined;
  const [, grpc, connectStream] = match;
  return {
    isFramed: (grpc ?? connectStream) !== undefined,
    encodingHeader: grpc ? "grpc-encoding" : connectStream ? "connect-content-encoding" : "content-encoding",
  };
}

function isStream(body: UniversalRequest["body"]): body is AsyncIterable<Uint8Array<ArrayBuffer>> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

/** Returns the headers of a request with an empty body. The response may be compressed as the request was. */
function unpacked(header: Headers): Headers {
  const headers = new Headers(header);
  const encoding = headers.get("content-encoding");
  if (encoding !== null && !headers.has("accept-encoding")) headers.set("accept-encoding", encoding);
  headers.delete("content-encoding");
  headers.delete("content-length");
  return headers;
}

/** The body of a Connect unary call. */
async function* whole(
  body: AsyncIterable<Uint8Array<ArrayBuffer>>,
  length: string | null,
  compression: Compression | null,
  readMaxBytes: number,
  read: ReadRequest,
  requests: Requests,
) {
  const bytes = await readAllBytes(body, readMaxBytes, length);
  requests.add(read(compression === null ? bytes : await compression.decompress(bytes, readMaxBytes)));
  yield EMPTY;
}

/** The body of a call of the other kinds: a frame for each message. */
async function* framed(
  body: AsyncIterable<Uint8Array<ArrayBuffer>>,
  compression: Compression | null,
  readMaxBytes: number,
  read: ReadRequest,
  requests: Requests,
) {
  const envelopes = pipe(
    body,
    transformSplitEnvelope(readMaxBytes),
    transformDecompressEnvelope(compression, readMaxBytes),
  );
  for await (const { flags, data } of envelopes) {
    requests.add(read(data));
    yield encodeEnvelope(flags, EMPTY);
  }
}
