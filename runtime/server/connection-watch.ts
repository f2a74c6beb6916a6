import type { Socket } from "node:net";

/** How long a connection may do nothing. */
export interface WatchLimits {
  /** How long a peer may leave everything that is sent to it unread, in milliseconds. Default: 60,000. */
  readonly stallTimeoutMs?: number;
  /** How long a connection of HTTP/2 may have no stream, in milliseconds. Default: 300,000. */
  readonly idleTimeoutMs?: number;
}

/** What is asked of a connection. */
export interface Watched {
  /** Whether something waits to be sent. */
  isSending(): boolean;
  /** Whether it has nothing to do; absent: its protocol's server looks at that. */
  isIdle?(): boolean;
  /** Ends it, for it was idle for too long. */
  close?(): void;
}

interface Seen {
  readonly watched: Watched;
  written: number;
  sentAt: number;
  busyAt: number;
}

/**
 * Ends connections whose peers take nothing of what is sent to them, or that are kept without a use. It looks at all of them
 * now and then, which costs less than a timer for each, set anew with each write.
 */
export class ConnectionWatch {
  readonly #seen = new Map<Socket, Seen>();
  readonly #stallTimeoutMs: number;
  readonly #idleTimeoutMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor({ stallTimeoutMs = 60_000, idleTimeoutMs = 300_000 }: WatchLimits = {}) {
    this.#stallTimeoutMs = stallTimeoutMs;
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  /** Watches a connection until it is closed. */
  add(socket: Socket, watched: Watched): void {
    const now = performance.now();
    this.#seen.set(socket, { watched, written: socket.bytesWritten, sentAt: now, busyAt: now });
    socket.once("close", () => {
      this.#seen.delete(socket);
      if (this.#seen.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    this.#timer ??= setInterval(
      () => this.#look(),
      Math.max(10, Math.min(this.#stallTimeoutMs, this.#idleTimeoutMs) / 8),
    ).unref();
  }

  #look(): void {
    const now = performance.now();
    for (const [socket, seen] of this.#seen) {
      const { watched } = seen;
      const written = socket.bytesWritten;
      if (written !== seen.written || !watched.isSending()) {
        seen.written = written;
        seen.sentAt = now;
      } else if (now - seen.sentAt > this.#stallTimeoutMs) {
        socket.destroy();
        continue;
      }
      if (watched.isIdle?.() !== true) seen.busyAt = now;
      else if (now - seen.busyAt > this.#idleTimeoutMs) watched.close?.();
    }
  }
}
