import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { ConnectionOptions } from "node:tls";
import type { GrpcTransportOptions } from "@connectrpc/connect-node";
import { withFailure } from "../call/failure.js";
import { errorFor } from "../errors/error.js";
import { afterResets, ResetPace } from "../http2/reset-pace.js";
import { cancelStream } from "./cancel-stream.js";
import { notConnected } from "./node-failures.js";

type SessionManager = NonNullable<GrpcTransportOptions["sessionManager"]>;

export interface NodeSessionsOptions {
  /** After how long a silence a connection in use is asked whether it is still there, in milliseconds. */
  readonly pingIntervalMs: number;
  /** How long it may take to say so. */
  readonly pingTimeoutMs: number;
  /** For an https:// address: whom to believe, and what to show. */
  readonly tls?: ConnectionOptions;
}

/** How long one attempt to connect may take, in milliseconds. */
const CONNECT_TIMEOUT = 20_000;
/** How long a connection without calls is kept, in milliseconds. */
const IDLE = 15 * 60_000;

/**
 * Connections of node:http2 to one address, for calls by connect-node and calls that are passed on: one at a time, opened by
 * the first call, and again when it is lost or its peer asks to go elsewhere. After a silence, a call waits until the connection
 * has answered a PING. Whatever becomes of a connection, nobody waits for it longer than it may take to connect or to answer.
 * It does not keep the process alive by itself.
 */
export class NodeSessions implements SessionManager {
  readonly authority: string;
  #current: Session | undefined;
  #opening: Promise<Session> | undefined;
  readonly #sessions = new Set<Session>();

  constructor(
    url: string,
    private readonly options: NodeSessionsOptions,
  ) {
    this.authority = new URL(url).origin;
  }

  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: Omit<ClientSessionRequestOptions, "signal">,
  ): Promise<ClientHttp2Stream> {
    for (;;) {
      const session = await this.#session();
      try {
        return session.open({ ...headers, ":method": method, ":path": path }, options);
      } catch (error) {
        // It may have been lost while this call waited its turn.
        if (session.isOpen) throw error;
      }
    }
  }

  notifyResponseByteRead({ session }: ClientHttp2Stream): void {
    if (this.#current?.http2 === session) this.#current?.heard();
  }

  /** Calls `done` once every call that has been given up by now has been reset, or has ended. */
  afterResets(done: () => void): void {
    afterResets(
      [...this.#sessions].map(({ resetPace }) => resetPace),
      done,
    );
  }

  /** Ends all connections, and with them every call that is still open. */
  abort(): void {
    for (const session of this.#sessions) {
      session.destroy(withFailure("canceled", errorFor("CONNECTION_CLOSED", "the connection was closed")));
    }
  }

  async #session(): Promise<Session> {
    const current = this.#current;
    current?.leaveIfBehind();
    if (current?.isOpen && (await current.verify())) return current;
    // Another call may have found that before.
    if (this.#current !== current && this.#current?.isOpen) return this.#current;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  #open(): Promise<Session> {
    return new Promise((resolve, reject) => {
      const http2 = connect(this.authority, this.options.tls ?? {});
      const late = setTimeout(() => {
        http2.destroy(Object.assign(new Error("connecting took too long"), { code: "ETIMEDOUT" }));
      }, CONNECT_TIMEOUT);
      const session = new Session(http2, this.options);
      this.#sessions.add(session);
      http2.on("error", (error) => reject(notConnected(error)));
      http2.once("connect", () => {
        clearTimeout(late);
        http2.unref();
        this.#current = session;
        resolve(session);
      });
      http2.once("close", () => {
        clearTimeout(late);
        this.#sessions.delete(session);
        reject(notConnected(new Error("the connection was closed")));
      });
    });
  }
}

/** One connection. */
class Session {
  readonly resetPace = new ResetPace();
  #streams = 0;
  #heardAt = performance.now();
  #isLeaving = false;
  #answer: Promise<boolean> | undefined;
  /** Asks at intervals while there are calls, and ends the connection when there have been none for long. */
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly http2: ClientHttp2Session,
    private readonly options: NodeSessionsOptions,
  ) {
    http2.on("goaway", (code) => {
      this.#isLeaving = true;
      // node:http2 waits for ever on a connection without calls whose peer has only said that it leaves.
      if (this.#streams === 0) this.destroy(code === constants.NGHTTP2_NO_ERROR ? undefined : new Error("GOAWAY"));
    });
    http2.once("close", () => clearTimeout(this.#timer));
    this.#watch();
  }

  /** Whether calls can be made on it. */
  get isOpen(): boolean {
    return !this.#isLeaving && !this.http2.closed && !this.http2.destroyed;
  }

  /** Takes no more calls if too many wait to be reset, and ends with those that it has. */
  leaveIfBehind(): void {
    if (this.resetPace.isBehind) this.http2.close();
  }

  open(headers: OutgoingHttpHeaders, options: ClientSessionRequestOptions): ClientHttp2Stream {
    const { http2 } = this;
    const stream = http2.request(headers, options);
    if (++this.#streams === 1) {
      http2.ref();
      this.#watch();
    }
    // Whoever gives a call up must not end its request by that. node:http2 closes the streams of a connection that is lost.
    const { close } = stream;
    stream.close = (code, done) => {
      if (http2.destroyed || http2.socket.destroyed) {
        close.call(stream, code, done);
        return;
      }
      if (done !== undefined) stream.once("close", done);
      stream.pause();
      this.resetPace.giveUp({
        get isClosed() {
          return stream.closed;
        },
        reset: () => cancelStream(stream),
      });
    };
    stream.once("response", () => this.heard());
    stream.once("close", () => {
      if (--this.#streams > 0) return;
      http2.unref();
      this.#watch();
    });
    return stream;
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  /** Whether the connection is there. After a silence it is asked, and given up if it does not answer. */
  verify(): Promise<boolean> | boolean {
    return this.#silence() <= this.options.pingIntervalMs || this.#ping();
  }

  destroy(error?: Error): void {
    this.http2.destroy(error, constants.NGHTTP2_CANCEL);
  }

  #silence(): number {
    return performance.now() - this.#heardAt;
  }

  #ping(): Promise<boolean> {
    this.#answer ??= new Promise<boolean>((resolve) => {
      const { http2 } = this;
      if (http2.destroyed) {
        resolve(false);
        return;
      }
      const late = setTimeout(
        () => this.destroy(withFailure("broken", errorFor("CONNECTION_LOST", "PING timed out"))),
        this.options.pingTimeoutMs,
      );
      const done = (isThere: boolean) => {
        clearTimeout(late);
        http2.off("close", lost);
        this.#answer = undefined;
        if (isThere) this.heard();
        resolve(isThere);
      };
      // The callback of a PING may not come when its connection closes.
      const lost = () => done(false);
      http2.once("close", lost);
      if (!http2.ping((error) => error === null && done(true))) this.destroy();
    });
    return this.#answer;
  }

  #watch(): void {
    clearTimeout(this.#timer);
    const isIdle = this.#streams === 0;
    this.#timer = setTimeout(
      () => {
        if (isIdle) this.http2.close();
        else if (this.#silence() >= this.options.pingIntervalMs) void this.#ping();
        if (!isIdle) this.#watch();
      },
      isIdle ? IDLE : this.options.pingIntervalMs,
    ).unref();
  }
}
