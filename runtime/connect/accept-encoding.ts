import type { ConnectRouter, ConnectRouterOptions } from "@connectrpc/connect";

type UniversalHandler = ConnectRouter["handlers"][number];
type UniversalResponse = Awaited<ReturnType<UniversalHandler>>;
type Compression = NonNullable<ConnectRouterOptions["acceptCompression"]>[number];

/** The result of an Accept-Encoding header. */
export interface AcceptedEncoding {
  /** The supported encoding with the highest weight; undefined for an unencoded response. */
  readonly encoding: string | undefined;
  /** Whether the caller refuses an unencoded response. */
  readonly refusesIdentity: boolean;
}

/**
 * Parses an Accept-Encoding header (RFC 9110, section 12.5.3). Names are case-insensitive, `x-gzip` is `gzip`, `*` stands for all
 * encodings that are not listed, and `q=0` refuses one. The first of several encodings with the same weight is chosen. Invalid
 * list elements are ignored.
 */
export function acceptedEncoding(header: string, available: readonly string[]): AcceptedEncoding {
  const weights = new Map<string, number>();
  for (const item of header.split(",")) {
    const [, name = "", weight = "1"] = element.exec(item) ?? [];
    if (name !== "") weights.set(canonicalEncoding(name), Number(weight));
  }
  const others = weights.get("*") ?? 0;
  let encoding: string | undefined;
  let most = 0;
  for (const name of new Set([...weights.keys(), ...available])) {
    const weight = weights.get(name) ?? others;
    if (!available.includes(name) || weight <= most) continue;
    most = weight;
    encoding = name;
  }
  const identity = weights.get("identity") ?? weights.get("*") ?? 1;
  // A caller that prefers `identity` to all encodings gets an unencoded response.
  return { encoding: (weights.get("identity") ?? 0) > most ? undefined : encoding, refusesIdentity: identity === 0 };
}

const element = /^[ \t]*([!#$%&'*+.^_`|~\w-]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/;

/** Returns the canonical name of an encoding: names are case-insensitive, and `x-gzip` is `gzip` (RFC 9110, section 8.4.1). */
export function canonicalEncoding(name: string): string {
  const plain = name.toLowerCase();
  return plain === "x-gzip" ? "gzip" : plain;
}

/** The content types of unary Connect calls. Their bodies have no envelopes, so HTTP's content encoding applies to them. */
const unary = /^application\/(json|proto)\s*(;|$)/i;

/**
 * Returns a Connect handler that negotiates the encoding of its responses as HTTP defines it, and sends `Vary`. Connect itself
 * looks for names in Accept-Encoding and ignores their weights.
 */
export function withEncodingNegotiation(handler: UniversalHandler, options: ConnectRouterOptions): UniversalHandler {
  const { acceptCompression = [], compressMinBytes = 0 } = options;
  if (acceptCompression.length === 0 || compressMinBytes === Number.POSITIVE_INFINITY) return handler;
  const available = acceptCompression.map(({ name }) => name);
  return Object.assign(
    async (request: Parameters<UniversalHandler>[0]) => {
      const { method, header } = request;
      if (method !== "GET" && !unary.test(header.get("content-type") ?? "")) return handler(request);
      const encoding = header.get("content-encoding");
      if (encoding !== null) header.set("content-encoding", canonicalEncoding(encoding));
      const asked = header.get("accept-encoding");
      const accepted = asked === null ? undefined : acceptedEncoding(asked, available);
      if (accepted !== undefined) header.set("accept-encoding", accepted.encoding ?? "identity");
      const response = await handler(request);
      if (response.body === undefined) return response;
      response.header?.append("vary", "Accept-Encoding");
      const compression = acceptCompression.find(({ name }) => name === accepted?.encoding);
      return accepted?.refusesIdentity && compression !== undefined ? encoded(response, compression) : response;
    },
    { ...handler },
  );
}

/** Encodes a response that Connect left unencoded because it is short. The caller refuses unencoded responses. */
async function encoded(response: UniversalResponse, compression: Compression): Promise<UniversalResponse> {
  const { body, header } = response;
  if (body === undefined || header === undefined || header.has("content-encoding")) return response;
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  const bytes = await compression.compress(new Uint8Array(Buffer.concat(parts)));
  header.set("content-encoding", compression.name);
  if (header.has("content-length")) header.set("content-length", String(bytes.length));
  return { ...response, body: once(bytes) };
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
