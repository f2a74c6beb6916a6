import type { Socket } from "node:net";
import { Code, type ConnectError } from "@connectrpc/connect";
import { type Hosts, wrongHost } from "../config/hosts.js";
import type { UniversalHandlerFn } from "../connect/universal.js";
import { UniversalCall } from "../connect/universal.js";
import { IncompleteMessages } from "../grpc/incomplete-messages.js";
import { type ConnectionCalls, ServerCall } from "../grpc/server-call.js";
import { Connection, type ConnectionHandler } from "../http2/connection.js";
import { ErrorCode } from "../http2/errors.js";
import type { HeaderBlock } from "../http2/field.js";
import { type RequestHead, requestHead } from "../http2/head.js";
import type { ConstantBlock } from "../http2/hpack-encoder.js";
import { defaultLimits, type Limits } from "../http2/limits.js";
import type { Stream } from "../http2/stream.js";
import { jsonType, statusJson } from "./http-error.js";
import type { Http2Acceptor } from "./node-http2.js";
import { type Pages, respond } from "./page.js";
import { noSuchMethod, notFound, Refusal, tooLarge } from "./refusal.js";
import type { Routes } from "./routes.js";

const anyGrpc = /^application\/grpc(\+|;|$)/i;

/** Serves routes on connections that speak HTTP/2: gRPC by itself, all else by Connect's own handlers. */
export class GrpcServer implements Http2Acceptor {
  readonly #connections = new Set<Connection>();
  #isDraining = false;

  constructor(
    private readonly routes: Routes & { readonly pages?: Pages; readonly hosts?: Hosts | undefined },
    private readonly limits: Limits = defaultLimits,
  ) {}

  /** How many connections are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** How many calls have not ended. */
  get streams(): number {
    let streams = 0;
    for (const connection of this.#connections) streams += connection.streams.size;
    return streams;
  }

  take(socket: Socket): void {
    const calls: ConnectionCalls = {
      running: 0,
      maxRunning: this.limits.maxConcurrentStreams,
      begun: [],
      incomplete: new IncompleteMessages(this.limits),
    };
    const handler: ConnectionHandler = {
      opened: (stream, block, endStream) => this.#opened(calls, stream, block, endStream),
      received() {
        for (let call = calls.begun.pop(); call !== undefined; call = calls.begun.pop()) call.awaitRest();
      },
      closed: () => this.#connections.delete(connection),
    };
    const connection = new Connection(socket, "server", this.limits, handler);
    this.#connections.add(connection);
    if (this.#isDraining) connection.drain();
  }

  drain(): void {
    this.#isDraining = true;
    for (const connection of [...this.#connections]) connection.drain();
  }

  cut(): void {
    for (const connection of [...this.#connections]) connection.cut();
  }

  close(): void {}

  /** Ends the calls that are still running with an error. */
  abort(error: ConnectError): void {
    for (const connection of [...this.#connections]) {
      for (const stream of [...connection.streams.values()]) {
        if (stream.consumer instanceof ServerCall) stream.consumer.abort(error);
      }
    }
  }

  #opened(calls: ConnectionCalls, stream: Stream, block: HeaderBlock, endStream: boolean): void {
    if (block.isTooLarge) {
      refuse(stream, tooLarge, endStream);
      return;
    }
    const head = requestHead(block);
    if (head === undefined || (endStream && head.contentLength > 0)) {
      stream.refuse(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    stream.expectedLength = head.contentLength;
    if (this.routes.hosts?.allows(head.authority) === false) {
      const call = new UniversalCall(stream, head, misdirected(head), calls.incomplete);
      stream.consumer = call;
      call.start(endStream);
      return;
    }
    if (head.isGrpc && isNativeEncoding(head.grpcEncoding)) {
      const route = this.routes.native.get(head.path);
      if (route !== undefined) {
        const call = new ServerCall(stream, route, head, calls);
        stream.consumer = call;
        call.start(endStream);
        return;
      }
    }
    this.#universal(calls, stream, head, endStream);
  }

  #universal(calls: ConnectionCalls, stream: Stream, head: RequestHead, endStream: boolean): void {
    const query = head.path.indexOf("?");
    const path = query < 0 ? head.path : head.path.slice(0, query);
    const handler = this.routes.connect.get(path) ?? pageAt(path, this.routes.pages);
    if (handler === undefined) {
      refuse(stream, anyGrpc.test(head.contentType ?? "") ? noSuchMethod : notFound, endStream);
      return;
    }
    const call = new UniversalCall(stream, head, handler, calls.incomplete);
    stream.consumer = call;
    call.start(endStream);
  }
}

function misdirected({ authority }: RequestHead): UniversalHandlerFn {
  return async () => ({
    status: 421,
    header: new Headers({ "content-type": jsonType }),
    body: once(Buffer.from(statusJson(Code.PermissionDenied, wrongHost(authority)))),
  });
}

function pageAt(path: string, pages: Pages = {}): UniversalHandlerFn | undefined {
  const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
  if (page === undefined) return undefined;
  return async ({ method }) => {
    const { status, headers, body } = await respond(page, path, method);
    return { status, header: new Headers(headers), body: method === "HEAD" ? undefined : once(body) };
  };
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}

/** What else messages may be compressed with, Connect knows. */
function isNativeEncoding(name: string | undefined): boolean {
  return name === undefined || name === "identity" || name === "gzip";
}

function refuse(stream: Stream, block: ConstantBlock, endStream: boolean): void {
  const refusal = new Refusal(stream, block);
  stream.consumer = refusal;
  refusal.start(endStream);
}
