import type { RequestListener, Server, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket, TlsOptions } from "node:tls";
import type { Hosts } from "../config/hosts.js";
import { preface } from "../http2/frames.js";
import type { Logger } from "../observe/log.js";
import { ConnectionLimit } from "./connection-limit.js";
import { ConnectionWatch, type WatchLimits } from "./connection-watch.js";
import { connectionsAllowed } from "./descriptors.js";
import { createHttp1Server } from "./http1.js";
import { type Http2Acceptor, nodeHttp2 } from "./node-http2.js";

export interface ListenOptions {
  /** Answers HTTP/1.1. */
  readonly http1?: RequestListener;
  /** Instead of `http1`: a server of `createHttp1Server`, such as Fastify's `app.server` after `app.ready()`. */
  readonly http1Server?: Server;
  /**
   * Answers HTTP/2: with TLS where the peer chooses it by ALPN, without by prior knowledge (RFC 9113, section 3.3). A
   * function is called by node:http2.
   */
  readonly http2: Http2Acceptor | ((request: Http2ServerRequest, response: Http2ServerResponse) => void);
  /** Certificate, key, and what else node:tls takes; with `requestCert` and `ca`, clients must show who they are. */
  readonly tls?: TlsOptions;
  readonly host: string;
  /** 0 lets the system choose a free one. */
  readonly port: number;
  /** How long a new connection may stay silent before it is closed, in milliseconds. Default: 10,000. */
  readonly openingTimeoutMs?: number;
  /** How many connections may be open at once. Default: what the process may open files for, less a quarter. */
  readonly maxConnections?: number;
  /** Which hosts may be asked for, of servers that are made here. Default: any. */
  readonly hosts?: Hosts | undefined;
  /** How long connections may do nothing; our own HTTP/2 has limits of its own for that. */
  readonly watchLimits?: WatchLimits;
  /** Where connections that are turned away are reported. */
  readonly log?: Logger;
}

/** One port that is listened on. */
export interface Listener {
  readonly host: string;
  /** The port itself, also when 0 was asked for. */
  readonly port: number;
  /**
   * Stops without cutting a call: takes no more connections, tells HTTP/2 peers to go elsewhere (GOAWAY), closes idle
   * HTTP/1.1 connections and asks the others to close, and waits for the calls in flight. What is left after
   * `timeoutMs` is cut. Never rejects; may be called again.
   */
  drain(timeoutMs: number): Promise<void>;
}

/**
 * Serves HTTP/1.1 and HTTP/2 on one port, told apart by a connection's first 24 bytes, or with TLS by ALPN. Rejects with
 * an error that names the port, and the way out, when it cannot be had.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { tls, http1: handle = () => undefined, openingTimeoutMs = 10_000 } = options;
  const { maxConnections = connectionsAllowed(), log, watchLimits, hosts } = options;
  const http1 = options.http1Server ?? createHttp1Server(handle, { tls, hosts, handshakeTimeoutMs: openingTimeoutMs });
  const http2 = typeof options.http2 === "function" ? nodeHttp2(options.http2, watchLimits, hosts) : options.http2;
  const watch = new ConnectionWatch(watchLimits);
  const sockets = new Set<Socket>();
  const undecided = new Set<Socket>();
  const answers = new Set<ServerResponse>();
  let draining: Promise<void> | undefined;

  // The HTTP/1.1 server owns the port, so that its own limits on slow and idle connections hold; only the
  // connections that open with the preface are taken from it.
  const opened = tls === undefined ? "connection" : "secureConnection";
  const takeHttp1 = http1.listeners(opened) as ((socket: Socket) => void)[];
  http1.removeAllListeners(opened).on(opened, (socket: Socket) => {
    if (tls !== undefined) {
      take(socket, (socket as TLSSocket).alpnProtocol === "h2");
      return;
    }
    undecided.add(socket);
    opensHttp2(socket, openingTimeoutMs, (isHttp2) => {
      undecided.delete(socket);
      if (isHttp2 === undefined) socket.destroy();
      else take(socket, isHttp2);
    });
  });
  const limit = new ConnectionLimit(maxConnections, (turnedAway) =>
    log?.warn({ ...turnedAway, maxConnections }, "too many connections: idle ones were closed, or new ones refused"),
  );
  // First of all: what is refused is nobody else's.
  const connected = http1.listeners("connection") as ((socket: Socket) => void)[];
  http1.removeAllListeners("connection").on("connection", (socket: Socket) => {
    if (!limit.admit(socket)) return;
    sockets.add(socket.once("close", () => sockets.delete(socket)));
    for (const each of connected) each.call(http1, socket);
  });
  const take = (socket: Socket, isHttp2: boolean) => {
    if (isHttp2) {
      http2.take(socket);
      return;
    }
    watch.add(socket, { isSending: () => socket.writableLength > 0 });
    for (const each of takeHttp1) each.call(http1, socket);
    // Node.js feeds its parser from the socket's handle, and stops both while an answer waits to be written: but what TLS
    // has decrypted still comes, and a stopped parser that is fed ends the connection ("Parse Error: Paused"). Data that
    // somebody listens for goes through the stream instead, which keeps it until the parser goes on.
    if (tls !== undefined) socket.on("data", () => undefined);
  };
  http1.prependListener("request", (request, response) => {
    answers.add(response);
    // An answer may be there before all of its request is. Unread, the rest would stand before the connection's next one:
    // so whoever stops reading must not destroy the request, which would leave its socket paused for ever.
    request[Symbol.asyncIterator] = () => request.iterator({ destroyOnReturn: false });
    response.once("finish", () => request.complete || request.removeAllListeners("readable").resume());
    if (draining) response.setHeader("connection", "close");
    response.once("close", () => {
      answers.delete(response);
      // An answer that had begun before the drain could not say `Connection: close`.
      if (draining) http1.closeIdleConnections();
    });
  });

  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(cannotListen(options, error));
    http1.once("error", fail).listen({ host: options.host, port: options.port }, () => {
      http1.off("error", fail);
      // A connection that cannot be accepted, for want of descriptors, is no reason to end.
      http1.on("error", (err) => log?.error({ err }, "a connection could not be accepted"));
      resolve();
    });
  });

  return {
    host: options.host,
    port: (http1.address() as AddressInfo).port,
    drain(timeoutMs) {
      draining ??= new Promise<void>((resolve) => {
        const cut = () => {
          http2.cut();
          for (const socket of sockets) socket.destroy();
        };
        const timer = setTimeout(cut, timeoutMs);
        http1.close(() => {
          clearTimeout(timer);
          http2.close();
          resolve();
        });
        // A connection that was opened just now may have its first call on the way; one that stays silent has none.
        const leave = () => {
          for (const socket of undecided) socket.destroy();
        };
        setTimeout(leave, Math.min(timeoutMs, 100)).unref();
        for (const response of answers) if (!response.headersSent) response.setHeader("connection", "close");
        http2.drain();
      });
      return draining;
    },
  };
}

/**
 * Calls `decide` once: whether the connection opens with the preface, or undefined if it is silent for too long or ends
 * before that can be told. What was read is put back.
 */
function opensHttp2(socket: Socket, timeoutMs: number, decide: (isHttp2: boolean | undefined) => void): void {
  let read = Buffer.alloc(0);
  const timer = setTimeout(giveUp, timeoutMs).unref();
  socket.on("readable", onReadable).on("end", giveUp).on("error", giveUp).on("close", giveUp);

  function onReadable() {
    const chunk: Buffer | null = socket.read();
    if (!chunk) return;
    read = Buffer.concat([read, chunk]);
    const compared = Math.min(read.length, preface.length);
    const same = preface.compare(read, 0, compared, 0, compared) === 0;
    if (same && compared < preface.length) return;
    stopReading();
    socket.unshift(read);
    decide(same);
  }

  function giveUp() {
    stopReading();
    // A connection that nobody takes may still be reset before it is closed.
    socket.on("error", () => undefined);
    decide(undefined);
  }

  function stopReading() {
    clearTimeout(timer);
    socket.off("readable", onReadable).off("end", giveUp).off("error", giveUp).off("close", giveUp);
  }
}

function cannotListen({ host, port }: ListenOptions, cause: NodeJS.ErrnoException): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: `port ${port} on ${host} is taken: stop what listens there, or choose another with PORT`,
    EACCES: `port ${port} on ${host} needs privileges that this process lacks: choose one above 1023 with PORT`,
    EADDRNOTAVAIL: `${host} is not an address of this machine: choose one that is with HOST`,
    ENOTFOUND: `${host} cannot be resolved: choose an address of this machine with HOST`,
  };
  return new Error(reasons[cause.code ?? ""] ?? `cannot listen on ${host}, port ${port}: ${cause.message}`, { cause });
}
