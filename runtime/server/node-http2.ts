import {
  constants,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Stream,
  type ServerHttp2Session,
} from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Hosts } from "../config/hosts.js";
import { admitted, MAX_HEADER_FIELDS } from "./admit.js";
import { ChunkCoalescer } from "./coalesce.js";
import { ConnectionWatch, type WatchLimits } from "./connection-watch.js";
import { sendRefusal } from "./http-error.js";
import { noTunnel } from "./http1.js";
import { SessionBacklog } from "./session-backlog.js";

/** Serves the connections that speak HTTP/2. */
export interface Http2Acceptor {
  /** Takes a connection whose first bytes, still to be read, are HTTP/2's preface. */
  take(socket: Socket): void;
  /** Asks every peer to send its next calls elsewhere, those that connect from now on too. Lets calls in flight end. */
  drain(): void;
  /** Breaks off the calls that are left: their connections are closed next. */
  cut(): void;
  /** All connections are closed. */
  close(): void;
}

/** How many streams one connection of a stranger may have open. */
const MAX_STREAMS = 250;
/**
 * What a session may keep, in MB, before node:http2 refuses its new streams. Node.js's own 10 are three unread answers of one
 * of a gateway's callers; SessionBacklog bounds them for all.
 */
const SESSION_MEMORY = 128;

/** HTTP/2 by Node.js's own implementation: for Fastify, and for connect-node. */
export function nodeHttp2(
  handle: (request: Http2ServerRequest, response: Http2ServerResponse) => void,
  limits?: WatchLimits,
  hosts?: Hosts,
  maxStreams = MAX_STREAMS,
): Http2Acceptor {
  const answered = admitted(handle, hosts);
  // Twice as many fields as are admitted, so that whoever sends a few too many is told so.
  const options = {
    maxHeaderListPairs: 2 * MAX_HEADER_FIELDS,
    maxSessionMemory: SESSION_MEMORY,
    settings: { maxConcurrentStreams: maxStreams },
  };
  const server = createServer(options, (request, response) => {
    takeBody(request);
    const { session } = request.stream;
    const backlog = session && backlogs.get(session as ServerHttp2Session);
    if (backlog === undefined) answered(request, response);
    else backlog.take(request.stream, () => answered(request, response));
  });
  const backlogs = new WeakMap<ServerHttp2Session, SessionBacklog>();
  server.on("connect", (_request, response: Http2ServerResponse) => sendRefusal(response, noTunnel));
  const sessions = new Map<ServerHttp2Session, Socket>();
  const watch = new ConnectionWatch(limits);
  let isDraining = false;
  return {
    take(socket) {
      // An HTTP/1.1 server leaves its half of a connection open when the peer closes the other. An HTTP/2 peer that has
      // closed its half can do nothing any more, and its session would stay for ever.
      socket.allowHalfOpen = false;
      server.once("session", (session) => {
        sessions.set(session, socket);
        backlogs.set(session, new SessionBacklog(session));
        const streams = openStreams(session);
        watch.add(socket, {
          isSending: () => [...streams].some((stream) => stream.writableLength > 0),
          isIdle: () => streams.size === 0,
          close: () => (session.closed ? session.destroy() : session.close()),
        });
        session.once("close", () => sessions.delete(session));
        if (isDraining) goAway(session, socket);
      });
      server.emit("connection", socket);
    },
    drain() {
      isDraining = true;
      for (const [session, socket] of sessions) goAway(session, socket);
    },
    // Its own last words, because a client of node:http2 that was told to go waits for ever on a connection that only ends.
    cut() {
      for (const session of sessions.keys()) session.destroy(undefined, constants.NGHTTP2_CANCEL);
    },
    close: () => void server.close(),
  };
}

/** The streams of a session that have not ended. */
function openStreams(session: ServerHttp2Session): ReadonlySet<Http2Stream> {
  const streams = new Set<Http2Stream>();
  session.on("stream", (stream) => {
    streams.add(stream);
    stream.once("close", () => streams.delete(stream));
  });
  return streams;
}

/**
 * Takes the body of a request. One that its caller breaks off fails, as one of HTTP/1.1 does: with ECONNRESET. node:http2
 * ends it instead, as if the caller had sent all of it, and whoever reads it would carry out half a call.
 */
function takeBody(request: Http2ServerRequest): void {
  const push = request.push;
  const chunks = new ChunkCoalescer(
    (chunk) => {
      if (chunk !== null || !request.stream.aborted) return request.destroyed || push.call(request, chunk);
      request.destroy(Object.assign(new Error("aborted"), { code: "ECONNRESET" }));
      return false;
    },
    () => request.stream.pause(),
  );
  request.push = (chunk) => chunks.take(chunk);
  // The error is for whoever reads the body. A request without a reader must not end the process.
  request.on("error", () => undefined);
}

/**
 * Asks an HTTP/2 peer to send its next calls elsewhere. A first GOAWAY that still lets every stream in is followed,
 * after a round trip, by the one that counts, so that calls already on their way are answered (RFC 9113, section 6.8).
 * The first is written past the session, because node:http2 takes no stream after any GOAWAY of its own. With TLS that
 * cannot be, for the session takes the end of such a write for one of its own, and ends the process: there calls on their
 * way are refused unseen, and their callers send them again.
 */
function goAway(session: ServerHttp2Session, socket: Socket): void {
  if (session.closed || session.destroyed || !socket.writable) return;
  // The session's own first frame, SETTINGS, must have gone before anything else may.
  if (session.pendingSettingsAck) {
    session.once("localSettings", () => goAway(session, socket));
    return;
  }
  if (socket instanceof TLSSocket) {
    session.close();
    return;
  }
  socket.write(shutdownNotice);
  session.ping(() => {
    if (!session.destroyed) session.close();
  });
}

/** A GOAWAY frame: 8 bytes long, type 7, no flags, on stream 0; last stream 2^31 - 1, NO_ERROR. */
const shutdownNotice = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
