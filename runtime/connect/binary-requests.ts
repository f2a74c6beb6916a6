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
import { errorExplainer } from "./error-explainer.js";
import { toOpaque } from "./opaque-messages.js";

/** Decodes a binary request. Throws a ConnectError, INVALID_ARGUMENT, if the bytes are invalid. */
export type DecodeRequest = (bytes: Uint8Array) => unknown;

type UniversalHandler = ConnectRouter["handlers"][number];
type UniversalRequest = Parameters<UniversalHandler>[0];
type Compression = NonNullable<ConnectRouterOptions["acceptCompression"]>[number];
type Implementation = (request: unknown, context: HandlerContext) => unknown;

/** The options of Connect's handlers that bound the size of a body and decompress it. */
export type BodyOptions = Pick<ConnectRouterOptions, "acceptCompression" | "readMaxBytes">;

/** The decoded requests of one call in their order, or promises of them. Connect reads an empty message for each. */
class DecodedRequests {
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

/** The binary form of an empty message. */
const EMPTY = new Uint8Array(0);

const decodedRequests: ContextKey<DecodedRequests | undefined> = createContextKey<DecodedRequests | undefined>(
  undefined,
);

/** Returns a Connect handler whose binary requests are decoded by `read`, because Connect accepts no custom codec. */
export function withBinaryRequests(
  handler: UniversalHandler,
  read: DecodeRequest,
  options: BodyOptions,
): UniversalHandler {
  return Object.assign((request: UniversalRequest) => handler(withDecodedBody(request, read, options)), {
    ...handler,
  });
}

/**
 * Returns the implementation of `opaqueMethod(method)` for Connect. It calls `implementation` with the requests decoded by
 * `withBinaryRequests`, and encodes its responses with the codec of the method's output.
 */
export function opaqueImplementation(method: DescMethod, implementation: Implementation): Implementation {
  const { methodKind } = method;
  const takesMany = methodKind === "client_streaming" || methodKind === "bidi_streaming";
  const output = codecOf(method.output);
  const call = (request: unknown, context: HandlerContext) => {
    checkVersion(context);
    const requests = context.values.get(decodedRequests);
    if (requests === undefined) throw new Error("a request was not read");
    // Handlers see the method itself, not the opaque one.
    const own = Object.assign(context, { method });
    if (takesMany) return implementation(each(request as AsyncIterable<unknown>, requests), own);
    const read = requests.take();
    return read instanceof Promise ? read.then((message) => implementation(message, own)) : implementation(read, own);
  };
  const write = (message: unknown, { values }: HandlerContext) => {
    try {
      return toOpaque(output, message);
    } catch (error) {
      throw values.get(errorExplainer)(error);
    }
  };
  if (methodKind === "unary" || methodKind === "client_streaming") {
    return async (request, context) => write(await call(request, context), context);
  }
  return async function* (request, context) {
    const responses = (await call(request, context)) as AsyncIterable<unknown>;
    for await (const response of responses) yield write(response, context);
  };
}

async function* each(empty: AsyncIterable<unknown>, requests: DecodedRequests) {
  for await (const _ of empty) yield requests.take();
}

/** Returns the request with empty messages; the request itself if it is not binary, or if Connect refuses it in any case. */
function withDecodedBody(request: UniversalRequest, read: DecodeRequest, options: BodyOptions): UniversalRequest {
  const { method, header, body } = request;
  if (method === "GET") return withDecodedQuery(request, read, options);
  const format = bodyFormatOf(header.get("content-type") ?? "");
  if (method !== "POST" || format === undefined || !isStream(body)) return request;
  const encoding = header.get(format.encodingHeader) ?? "identity";
  const compression = options.acceptCompression?.find(({ name }) => name === encoding) ?? null;
  if (compression === null && encoding !== "identity") return request;
  const { readMaxBytes = 0xffff_ffff } = options;
  const requests = new DecodedRequests();
  const contextValues = (request.contextValues ?? createContextValues()).set(decodedRequests, requests);
  if (format.isFramed) {
    return { ...request, contextValues, body: framed(body, compression, readMaxBytes, read, requests) };
  }
  const length = header.get("content-length");
  return {
    ...request,
    contextValues,
    header: withoutEncoding(header),
    body: whole(body, length, compression, readMaxBytes, read, requests),
  };
}

/**
 * Decodes the message in the URL of a call by Connect's GET (https://connectrpc.com/docs/protocol#unary-get-request). Returns the
 * request without its message; the request itself if Connect refuses it in any case.
 *
 * @param format the `encoding` that `read` decodes
 */
export function withDecodedQuery(
  request: UniversalRequest,
  read: DecodeRequest,
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
  const requests = new DecodedRequests();
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
  const contextValues = (request.contextValues ?? createContextValues()).set(decodedRequests, requests);
  return { ...request, url: url.href, contextValues };
}

/** Returns the message that `withDecodedQuery` has decoded; undefined if the call is not a GET. */
export function takeDecodedQuery({ values }: HandlerContext): unknown {
  return values.get(decodedRequests)?.take();
}

/** The query parameters of the protocol. Others are ignored. */
const protocolParameters = new Set(["connect", "encoding", "base64", "compression", "message"]);

/**
 * Parses a query strictly: URLSearchParams accepts invalid percent-encoding.
 *
 * @throws ConnectError INVALID_ARGUMENT if the percent-encoding is not UTF-8, or a parameter of the protocol is there twice
 */
function parametersOf(search: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const part of search.slice(1).replaceAll("+", " ").split("&")) {
    const [name = "", value = ""] = part.split(/=(.*)/s).map(percentDecoded);
    if (parameters.has(name) && protocolParameters.has(name))
      throw errorFor("REQUEST_MALFORMED", `the query has ${name} twice`);
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
 * Checks the version of Connect's protocol. A call without a version is accepted.
 *
 * @throws ConnectError INVALID_ARGUMENT for another version
 */
export function checkVersion({ protocolName, requestMethod, requestHeader, url }: HandlerContext): void {
  if (protocolName !== "connect") return;
  const [name, spoken] = requestMethod === "GET" ? ["connect", "v1"] : ["connect-protocol-version", "1"];
  const version = requestMethod === "GET" ? new URL(url).searchParams.get(name!) : requestHeader.get(name!);
  if (version === null || version === spoken) return;
  throw errorFor("REQUEST_MALFORMED", `${name} must be ${spoken}, and is ${JSON.stringify(version)}`);
}

/** The body format of a binary request. */
interface BodyFormat {
  readonly isFramed: boolean;
  readonly encodingHeader: string;
}

const contentTypes = /^application\/(?:(grpc(?:-web)?)(?:\+proto)?|(connect\+)?proto)$/i;

/** Returns the body format of a binary request, or undefined for any other. */
function bodyFormatOf(contentType: string): BodyFormat | undefined {
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

/** Returns the headers for the empty body. A compressed request accepts a response with the same encoding, as in Connect. */
function withoutEncoding(header: Headers): Headers {
  const headers = new Headers(header);
  const encoding = headers.get("content-encoding");
  if (encoding !== null && !headers.has("accept-encoding")) headers.set("accept-encoding", encoding);
  headers.delete("content-encoding");
  headers.delete("content-length");
  return headers;
}

/** Reads the body of a unary Connect call, which is one message. Yields an empty message. */
async function* whole(
  body: AsyncIterable<Uint8Array<ArrayBuffer>>,
  length: string | null,
  compression: Compression | null,
  readMaxBytes: number,
  read: DecodeRequest,
  requests: DecodedRequests,
) {
  const bytes = await readAllBytes(body, readMaxBytes, length);
  requests.add(read(compression === null ? bytes : await compression.decompress(bytes, readMaxBytes)));
  yield EMPTY;
}

/** Reads a body of enveloped messages. Yields an envelope with an empty message for each. */
async function* framed(
  body: AsyncIterable<Uint8Array<ArrayBuffer>>,
  compression: Compression | null,
  readMaxBytes: number,
  read: DecodeRequest,
  requests: DecodedRequests,
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
