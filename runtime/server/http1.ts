import { createServer, IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { TlsOptions } from "node:tls";
import { Code } from "@connectrpc/connect";
import type { Hosts } from "../config/hosts.js";
import { admitted, headersTooLarge, MAX_HEADER_BYTES, MAX_URL_BYTES, urlTooLong } from "./admit.js";
import { ChunkCoalescer } from "./coalesce.js";
import { type HttpRefusal, jsonType, sendRefusal, statusJson } from "./http-error.js";
import { oneAtATime } from "./pipeline.js";

/** Options of a server of HTTP/1.1. */
export interface Http1Options {
  /** Undefined: without TLS. */
  readonly tls?: TlsOptions | undefined;
  /** Which hosts may be asked for. Default: any. */
  readonly hosts?: Hosts | undefined;
  /** How long a TLS handshake may take, in milliseconds. Default: 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** How long the message of a unary call may take to arrive, in milliseconds. Default: 65,000. Other bodies have Node.js's five minutes. */
  readonly bodyTimeoutMs?: number;
}

// Longer than a gateway's own limit for bodies of REST, 60 s, whose error says more.
const BODY_TIMEOUT_MS = 65_000;

/** Makes a server of HTTP/1.1 that does not listen yet. Every error that it says itself is a google.rpc.Status. */
export function createHttp1Server(handle: RequestListener, options: Http1Options = {}): Server {
  const { tls, hosts, handshakeTimeoutMs: handshakeTimeout = 10_000, bodyTimeoutMs = BODY_TIMEOUT_MS } = options;
  const http = {
    // Longer than the keep-alive of common load balancers (60 s): the side that sends requests must be the one to hang up.
    keepAliveTimeout: 65_000,
    maxHeaderSize: MAX_HEADER_BYTES,
    // What Node.js says to a request without Host is empty.
    requireHostHeader: false,
    IncomingMessage: Request,
  };
  const listener = oneAtATime(admitted(inTime(handle, bodyTimeoutMs), hosts));
  const server =
    tls === undefined
      ? createServer(http, listener)
      : createHttpsServer({ ...http, handshakeTimeout, ALPNProtocols: ["h2", "http/1.1"], ...tls }, listener);
  // Bounded by their size, and counted when they are all there: Node.js would leave out those above this number.
  server.maxHeadersCount = 0;
  server.on("clientError", sendClientError);
  server.on("checkExpectation", (_request, response) => sendRefusal(response, unmetExpectation));
  server.on("connect", (_request, socket: Socket) => endWith(socket, noTunnel));
  return server;
}

/** A request whose body may have come in any number of chunks. */
class Request extends IncomingMessage {
  readonly #chunks = new ChunkCoalescer(
    (chunk) => this.destroyed || super.push(chunk),
    () => this.socket.pause(),
  );

  override push(chunk: Buffer | null): boolean {
    return this.#chunks.take(chunk);
  }
}

const tooSlow: HttpRefusal = {
  status: 408,
  code: Code.InvalidArgument,
  message: "the request took too long to arrive",
};

/** The content types of unary calls: of Connect and of REST. */
const unaryType = /^application\/(json|proto)\b/;

/** Bounds the time in which the message of a unary call arrives. A handler that waits for the body sees it broken off. */
function inTime(handle: RequestListener, timeoutMs: number): RequestListener {
  return (request, response) => {
    const { headers, socket } = request;
    const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
    if (hasBody && unaryType.test(headers["content-type"] ?? "")) {
      const late = setTimeout(() => {
        if (response.headersSent) socket.destroy();
        else endWith(socket, tooSlow);
        // The peer may go on sending for as long as it likes.
        socket.destroySoon();
      }, timeoutMs);
      const done = () => clearTimeout(late);
      request.once("end", done).once("close", done);
    }
    handle(request, response);
  };
}

const unmetExpectation: HttpRefusal = {
  status: 417,
  code: Code.InvalidArgument,
  message: "the only expectation that can be met is 100-continue",
};

/** What is said to CONNECT, over either version of HTTP. */
export const noTunnel: HttpRefusal = {
  status: 405,
  code: Code.Unimplemented,
  message: "this is no proxy: CONNECT is not answered",
  headers: { allow: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" },
};

/** Says what is wrong with bytes that are no request, or too many, and hangs up. */
function sendClientError(error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket): void {
  const { _httpMessage: open } = socket as { _httpMessage?: ServerResponse };
  if (open?.req.complete && !open.writableFinished && error.code !== "ECONNRESET") {
    // What is wrong came behind a request that is whole, and would be taken for its response (RFC 9112, 9.3.2).
    open.once("finish", () => socket.end());
    return;
  }
  // There is nobody to tell, or it would stand in the middle of another response.
  if (error.code === "ECONNRESET" || !socket.writable || open?.headersSent) socket.destroy();
  else endWith(socket, explain(error.code, error.rawPacket));
}

function explain(code: string | undefined, packet: Buffer | undefined): HttpRefusal {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return firstLine(packet) > MAX_URL_BYTES ? urlTooLong : headersTooLarge;
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return tooSlow;
    case "HPE_INVALID_METHOD": {
      const [, method] =
        /^([!#$%&'*+.^_`|~\w-]{1,64}) \S+ HTTP\/1\.[01]\r?\n/.exec(packet?.toString("latin1") ?? "") ?? [];
      if (method === undefined) break;
      return { status: 501, code: Code.Unimplemented, message: `${method} is no method that is known here` };
    }
  }
  return { status: 400, code: Code.InvalidArgument, message: "this is no request of HTTP/1.1" };
}

/** How many bytes a request's first line has, of what has arrived in one piece. */
function firstLine(packet: Buffer | undefined): number {
  const end = packet?.indexOf("\n") ?? 0;
  return end < 0 ? (packet?.length ?? 0) : end;
}

const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  414: "URI Too Long",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
};

/** Sends a refusal past the server, which has no response for it, and hangs up. */
function endWith(socket: Socket, { status, code, message, headers = {} }: HttpRefusal): void {
  const body = statusJson(code, message);
  const fields = {
    ...headers,
    "content-type": jsonType,
    "content-length": Buffer.byteLength(body),
    connection: "close",
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on("error", () => undefined);
  socket.end(`HTTP/1.1 ${status} ${reasons[status]}\r\n${lines.join("")}\r\n${body}`);
}
