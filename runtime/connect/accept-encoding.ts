import type { ConnectRouter, ConnectRouterOptions } from "@connectrpc/connect";

type UniversalHandler = ConnectRouter["handlers"][number];
type UniversalResponse = Awaited<ReturnType<UniversalHandler>>;
type Compression = NonNullable<ConnectRouterOptions["acceptCompression"]>[number];

/** The supported encodings that a request accepts. */
export interface Accepted {
  /** The one that it likes best; undefined: none. */
  readonly encoding: string | undefined;
  /** Whether it refuses a response that is not encoded. */
  readonly refusesIdentity: boolean;
}

/**
 * Reads an Accept-Encoding (RFC 9110, section 12.5.3): names in any case, `x-gzip` for `gzip`, `*` for those that are not
 * named, and `q=0` for what is refused. Of equals the first that the caller names is taken. What cannot be read names nothing.
 */
export function acceptedEncoding(header: string, available: readonly string[]): Accepted {
  const weights = new Map<string, number>();
  for (const item of header.split(",")) {
    const [, name = "", weight = "1"] = element.exec(item) ?? [];
    if (name !== "") weights.set(plainEncoding(name), Number(weight));
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
  // To like it better than any encoding is to ask for it.
  return { encoding: (weights.get("identity") ?? 0) > most ? undefined : encoding, refusesIdentity: identity === 0 };
}

const element = /^[ \t]*([!#$%&'*+.^_`|~\w-]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/;

/** An encoding as it is called here: names are case-insensitive, and `x-gzip` is `gzip` (RFC 9110, section 8.4.1). */
export function plainEncoding(name: string): string {
  const plain = name.toLowerCase();
  return plain === "x-gzip" ? "gzip" : plain;
}

/** Requests whose content encoding is HTTP's: unary Connect calls without an envelope, including GET. */
const unary = /^application\/(json|proto)\s*(;|$)/i;

/**
 * Has a handler of Connect's heed Accept-Encoding as HTTP has it, where Connect looks for names alone, and say that the
 * response depends on it (Vary).
 */
export function negotiatesEncoding(handler: UniversalHandler, options: ConnectRouterOptions): UniversalHandler {
  const { acceptCompression = [], compressMinBytes = 0 } = options;
  if (acceptCompression.length === 0 || compressMinBytes === Number.POSITIVE_INFINITY) return handler;
  const available = acceptCompression.map(({ name }) => name);
  return Object.assign(
    async (request: Parameters<UniversalHandler>[0]) => {
      const { method, header } = request;
      if (method !== "GET" && !unary.test(header.get("content-type") ?? "")) return handler(request);
      const encoding = header.get("content-encoding");
      if (encoding !== null) header.set("content-encoding", plainEncoding(encoding));
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

/** Encodes a response that was too short to be encoded, for a caller who refuses it as it is. */
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
