import type { Socket } from "node:net";

/** The idle timeouts of a connection, in milliseconds, after which both its ends are closed. */
export interface SilenceLimits {
  /** Before the first byte of the client. */
  readonly opening: number;
  /** While both sides are open. Vanished peers are noticed earlier. */
  readonly open: number;
  /** After the client's end, while the backend still sends. */
  readonly answering: number;
  /** After the backend's end: the client only has to close. */
  readonly closing: number;
}

export const usualLimits: SilenceLimits = { opening: 10_000, open: 3_600_000, answering: 60_000, closing: 5_000 };

/**
 * Forwards everything between two sockets: bytes, the end of each side separately, and failures at once. When one of them is
 * closed, or the connection is idle for too long, both are closed. Calls `used` when bytes were forwarded.
 */
export function join(client: Socket, upstream: Socket, limits: SilenceLimits, used: () => void): void {
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    // Keep-alive detects a peer that vanished, such as a closed laptop.
    one.setKeepAlive(true, 30_000);
    one.on("error", () => other.destroy());
    one.on("close", () => close(other, one.readableEnded, limits));
    one.pipe(other);
    one.on("data", used);
  }
  // Bytes to the client keep the connection alive as much as bytes from it.
  client.once("data", () => client.readableEnded || client.setTimeout(limits.open));
  client.once("end", () => client.setTimeout(limits.answering));
  upstream.once("end", () => client.setTimeout(limits.closing));
  client.setTimeout(limits.opening, () => client.destroy());
  used();
  // It may have closed while the backend was being connected.
  if (client.destroyed) upstream.destroy();
}

/** Closes the other socket of a pair: at once, or after it has sent the remaining bytes. */
function close(socket: Socket, ended: boolean, limits: SilenceLimits): void {
  // It closed before its end: reset the other side, so that the bytes do not count as complete.
  if (!ended) {
    socket.destroy();
    return;
  }
  socket.setTimeout(limits.closing, () => socket.destroy());
  socket.destroySoon();
}
