import { connect as connectTcp, isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import type { ConnectError } from "@connectrpc/connect";
import { backoffMs } from "../call/backoff.js";
import type { Dispatcher, PendingCall } from "../call/dispatcher.js";
import { lost, withFailure } from "../call/failure.js";
import { errorFor } from "../errors/error.js";
import { Connection } from "../http2/connection.js";
import { defaultLimits, type Limits } from "../http2/limits.js";
import { afterResets } from "../http2/reset-pace.js";
import { startTimer, stopTimer, Timer } from "../http2/timers.js";
import type { Backoff } from "../spec/retry.js";

export interface ChannelOptions {
  /** The options of node:tls for `https` addresses, such as certificates. */
  readonly tls?: ConnectionOptions;
  readonly limits?: Limits;
  /** The maximum number of calls that wait for a connection, or for a free stream on it. Default: 10,000. */
  readonly maxWaiting?: number;
}

/** The timeout of one connection attempt in milliseconds. The attempt ends when the peer's SETTINGS frame has arrived. */
const CONNECT_TIMEOUT = 20_000;
/** The delays between connection attempts. */
const RECONNECT: Backoff = { initialBackoffMs: 25, maxBackoffMs: 1_000, backoffMultiplier: 2 };
/** A connection without calls is closed after this time, in milliseconds. */
const IDLE = 15 * 60_000;

/**
 * A gRPC channel to one address. It has one connection at a time, which the first call opens. A call opens a new connection
 * if the last one was lost or its peer has sent GOAWAY. A failed connection attempt fails all waiting calls. The next attempt
 * is made after a delay, which grows with each failure. Calls wait while the peer's maximum of concurrent streams is reached.
 * A channel without calls does not keep the process alive.
 */
export class Channel implements Dispatcher {
  readonly #url: URL;
  readonly #options: ChannelOptions;
  readonly #waiting = new Set<PendingCall>();
  /** The connection for new calls. A connection whose peer has sent GOAWAY is replaced, and closes after its last call. */
  #connection: Connection | undefined;
  /** All connections, including the one that is being opened and those that take no more calls. */
  readonly #open = new Set<Connection>();
  #isConnecting = false;
  #failures = 0;
  #isClosed = false;
  #usedAt = 0;
  readonly #pause = new Timer(() => this.#connect());
  readonly #idle = new Timer(() => this.#checkIdle());

  constructor(origin: string, options: ChannelOptions = {}) {
    this.#url = new URL(origin);
    this.#options = options;
  }

  take(caller: PendingCall): void {
    if (this.#isClosed) {
      caller.failed(closedError());
      return;
    }
    const connection = this.#connection;
    if (connection?.isReady && connection.canOpen && this.#waiting.size === 0) {
      this.#give(caller, connection);
      return;
    }
    const { maxWaiting = 10_000 } = this.#options;
    if (this.#waiting.size >= maxWaiting) {
      caller.failed(errorFor("CALL_QUEUE_FULL", `${maxWaiting} calls already wait for ${this.#url.host}`));
      return;
    }
    this.#waiting.add(caller);
    if (connection !== undefined) this.#replace(connection);
    else if (!this.#isConnecting) this.#reconnect();
  }

  leave(caller: PendingCall): void {
    if (this.#waiting.size > 0) this.#waiting.delete(caller);
  }

  afterResets(done: () => void): void {
    afterResets(
      [...this.#open].map(({ resetPace }) => resetPace),
      done,
    );
  }

  close(): void {
    this.#isClosed = true;
    stopTimer(this.#pause);
    stopTimer(this.#idle);
    this.#fail(closedError());
    const cause = Object.assign(new Error("the channel was closed"), { code: "ERR_HTTP2_SESSION_CLOSED" });
    for (const connection of this.#open) connection.destroy(cause);
  }

  #give(caller: PendingCall, connection: Connection): void {
    if (connection.streams.size === 0) connection.socket.ref();
    this.#usedAt = performance.now();
    caller.ready(connection);
    // The call opens no stream if its request cannot be encoded.
    if (connection.streams.size === 0) connection.socket.unref();
  }

  #reconnect(): void {
    if (this.#failures === 0) {
      this.#connect();
      return;
    }
    if (this.#pause.slot >= 0) return;
    startTimer(this.#pause, backoffMs(this.#failures, RECONNECT));
    keepAlive(this.#pause, this.#waiting);
  }

  #connect(): void {
    if (this.#isClosed || this.#isConnecting || this.#connection !== undefined) return;
    this.#isConnecting = true;
    const socket = this.#dial();
    const late = new Timer(() =>
      connection.destroy(Object.assign(new Error("connecting took too long"), { code: "ETIMEDOUT" })),
    );
    startTimer(late, CONNECT_TIMEOUT);
    let isReady = false;
    const connection = new Connection(socket, "client", this.#options.limits ?? defaultLimits, {
      opened() {},
      available: () => {
        if (!isReady && connection.isReady) {
          isReady = true;
          stopTimer(late);
          this.#isConnecting = false;
          this.#failures = 0;
          if (!connection.isLeaving) this.#connection = connection;
          startTimer(this.#idle, IDLE);
        }
        this.#pump();
        if (connection.streams.size === 0 && this.#waiting.size === 0) socket.unref();
      },
      leaving: () => this.#lost(connection),
      closed: (cause) => {
        stopTimer(late);
        this.#open.delete(connection);
        if (isReady) {
          this.#lost(connection);
          return;
        }
        this.#isConnecting = false;
        this.#failures++;
        this.#fail(lost(isUntrusted(socket, cause) ? "untrusted" : "unreachable", cause));
      },
    });
    this.#open.add(connection);
  }

  #dial(): Socket | TLSSocket {
    const { protocol, hostname, port } = this.#url;
    const host = hostname.replace(/^\[|\]$/g, "");
    if (protocol === "http:") return connectTcp({ host, port: Number(port || 80) });
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket = connectTls({
      host,
      port: Number(port || 443),
      ALPNProtocols: ["h2"],
      ...servername,
      ...this.#options.tls,
    });
    socket.once("secureConnect", () => {
      if (socket.alpnProtocol !== "h2") {
        socket.destroy(Object.assign(new Error("the peer does not speak HTTP/2"), { code: "ERR_HTTP2_ERROR" }));
      }
    });
    return socket;
  }

  #pump(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    for (const caller of this.#waiting) {
      if (!connection.canOpen) break;
      this.#waiting.delete(caller);
      this.#give(caller, connection);
    }
    this.#replace(connection);
  }

  /** Replaces a connection that is used up: it closes once its calls have ended, and new calls open another one. */
  #replace(connection: Connection): void {
    if (!connection.isUsedUp || this.#connection !== connection) return;
    connection.drain();
    this.#lost(connection);
  }

  #lost(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    stopTimer(this.#idle);
    if (this.#waiting.size > 0 && !this.#isClosed) this.#reconnect();
  }

  #fail(error: ConnectError): void {
    const callers = [...this.#waiting];
    this.#waiting.clear();
    for (const caller of callers) caller.failed(error);
  }

  #checkIdle(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const left = this.#usedAt + IDLE - performance.now();
    if (left <= 0 && connection.streams.size === 0) {
      connection.drain();
      this.#lost(connection);
    } else startTimer(this.#idle, Math.max(left, IDLE / 10));
  }
}

/** Keeps the process alive while calls wait for a timer: the timer itself does not. */
function keepAlive(timer: Timer, waiting: ReadonlySet<unknown>): void {
  const hold = setInterval(() => {
    if (timer.slot < 0 || waiting.size === 0) clearInterval(hold);
  }, RECONNECT.initialBackoffMs);
}

function closedError(): ConnectError {
  return withFailure("canceled", errorFor("CONNECTION_CLOSED", "the channel was closed"));
}

/** Returns whether a connection failed because of TLS, and not because of the network or HTTP/2. */
function isUntrusted(socket: Socket | TLSSocket, cause: Error | undefined): boolean {
  if (!("authorizationError" in socket)) return false;
  // `authorizationError` is set if this side rejects the peer's certificate. Errors of OpenSSL have a `library`.
  return socket.authorizationError != null || (cause !== undefined && "library" in cause);
}
