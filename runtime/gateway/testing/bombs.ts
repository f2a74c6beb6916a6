import { type ClientHttp2Session, connect, constants } from "node:http2";
import { brotliCompressSync, deflateSync, gzipSync, constants as zlib } from "node:zlib";
import { message } from "../../http2/testing/peer.js";

/** A decompression bomb: a small body that decompresses to many spaces, which JSON ignores. */
export interface Bomb {
  readonly encoding: "gzip" | "br" | "deflate";
  readonly bytes: Buffer;
}

/** Returns bombs of a decompressed size in each encoding of HTTP. */
export function bombsOf(size: number): Bomb[] {
  const spaces = Buffer.alloc(size, " ");
  const params = { [zlib.BROTLI_PARAM_QUALITY]: 3 };
  return [
    { encoding: "gzip", bytes: gzipSync(spaces, { level: 1 }) },
    { encoding: "br", bytes: brotliCompressSync(spaces, { params }) },
    { encoding: "deflate", bytes: deflateSync(spaces, { level: 1 }) },
  ];
}

/** Returns the headers and the body that send a bomb, by protocol. */
export const compressedBodies: Readonly<
  Record<string, (bomb: Bomb) => { headers: Record<string, string>; body: Buffer }>
> = {
  gRPC: ({ encoding, bytes }) => framed("application/grpc", { "grpc-encoding": encoding, te: "trailers" }, bytes),
  "gRPC with JSON": ({ encoding, bytes }) => framed("application/grpc+json", { "grpc-encoding": encoding }, bytes),
  "gRPC-Web": ({ encoding, bytes }) => framed("application/grpc-web+proto", { "grpc-encoding": encoding }, bytes),
  "Connect stream": ({ encoding, bytes }) =>
    framed("application/connect+json", { "connect-content-encoding": encoding }, bytes),
  "Connect with JSON": ({ encoding, bytes }) => plain("application/json", encoding, bytes),
  Connect: ({ encoding, bytes }) => plain("application/proto", encoding, bytes),
};

function framed(contentType: string, headers: Record<string, string>, bytes: Buffer) {
  return { headers: { "content-type": contentType, ...headers }, body: message(bytes, 1) };
}

function plain(contentType: string, encoding: string, bytes: Buffer) {
  return { headers: { "content-type": contentType, "content-encoding": encoding }, body: bytes };
}

/** A client with one HTTP/2 connection. */
export class Http2Client {
  readonly #session: ClientHttp2Session;

  constructor(port: number) {
    this.#session = connect(`http://127.0.0.1:${port}`).on("error", () => undefined);
  }

  /** Makes a call. Returns the whole response as one text, with its headers and trailers. */
  async call(path: string, headers: Record<string, string>, body?: Buffer): Promise<string> {
    const method = body === undefined ? "GET" : "POST";
    const stream = this.#session.request({ ":method": method, ":path": path, ...headers }, { endStream: !body });
    stream.on("error", () => undefined).end(body);
    const said: string[] = [];
    const fields = (received: object) => said.push(JSON.stringify(received));
    stream.on("response", fields).on("trailers", fields);
    stream.on("data", (chunk: Buffer) => said.push(chunk.toString("latin1")));
    await new Promise((resolve) => stream.once("close", resolve));
    return [...said, stream.rstCode === constants.NGHTTP2_NO_ERROR ? "" : `reset ${stream.rstCode}`].join("\n");
  }

  close(): void {
    this.#session.destroy();
  }
}

/** Returns the status code in a response of any protocol, such as `resource_exhausted` or 8. */
export function codeOf(said: string): string | undefined {
  return (/"code":"(\w+)"/.exec(said) ?? /grpc-status"?: ?"?(\d+)/.exec(said))?.[1];
}
