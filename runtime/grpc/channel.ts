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
  /** For https: certificates and the like, as node:tls takes them. */
  readonly tls?: ConnectionOptions;
  readonly limits?: Limits;
  /** How many calls may wait for a connection, or for a place on it. Default: 10,000. */
  readonly maxWaiting?: number;
}

/** How long one attempt to connect may take, until the peer has said its first word, in milliseconds. */
const CONNECT_TIMEOUT = 20_000;
/** The delays between attempts to connect. */
const RECONNECT: Backoff = { initialBackoffMs: 25, maxBackoffMs: 1_000, backoffMultiplier: 2 };
/** How long a connection without calls is kept, in milliseconds. */
const IDLE = 15 * 60_000;

/**
 * The way to one address: one connection, opened by the first call, and again after it was lost or its peer asked to go
 * elsewhere. An attempt that fails fails the calls that wait for it; the next attempt is then made after a pause, which
 * grows. Calls above what the peer takes at a time wait for their turn. It does not keep the process alive by itself.
 */
export class Channel implements Dispatcher {
  readonly #url: URL;
  readonly #options: ChannelOptions;
  readonly #waiting = new Set<PendingCall>();
  /** Where new calls go. Those that a peer has asked to leave end by themselves. */
  #connection: Connection | undefined;
  /** All that are open, with the one that is being made and those that take no more calls. */
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
    // It may have found that its request cannot be written.
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

  /** Leaves a connection that is used up to the calls that it has. */
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

/** Timers of the wheel do not keep a process alive; calls that wait for one must. */
function keepAlive(timer: Timer, waiting: ReadonlySet<unknown>): void {
  const hold = setInterval(() => {
    if (timer.slot < 0 || waiting.size === 0) clearInterval(hold);
  }, RECONNECT.initialBackoffMs);
}

function closedError(): ConnectError {
  return withFailure("canceled", errorFor("CONNECTION_CLOSED", "the channel was closed"));
}

/** Whether TLS failed, rather than the network below it or HTTP/2 above. */
function isUntrusted(socket: Socket | TLSSocket, cause: Error | undefined): boolean {
  if (!("authorizationError" in socket)) return false;
  // Set when this side does not believe the peer's certificate. OpenSSL names its library in each of its errors.
  return socket.authorizationError != null || (cause !== undefined && "library" in cause);
}
