import type { Socket } from "node:net";

/** How long a connection may be silent, in milliseconds, before both its ends are closed. */
export interface SilenceLimits {
  /** Before its client has sent anything. */
  readonly opening: number;
  /** With both sides open. Peers that vanished are noticed much sooner. */
  readonly open: number;
  /** Once the client has said all it has to say, and the backend still answers. */
  readonly answering: number;
  /** Once the backend has said all: the client has only to close. */
  readonly closing: number;
}

export const usualLimits: SilenceLimits = { opening: 10_000, open: 3_600_000, answering: 60_000, closing: 5_000 };

/**
 * Passes on everything between two sockets: bytes, each side's end by itself, and a failure at once. When one of them is
 * closed, or the connection is silent for too long, both are. Calls `used` when bytes have passed.
 */
export function join(client: Socket, upstream: Socket, limits: SilenceLimits, used: () => void): void {
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    // A peer that vanished without a word (a laptop's lid) is noticed in the end.
    one.setKeepAlive(true, 30_000);
    one.on("error", () => other.destroy());
    one.on("close", () => close(other, one.readableEnded, limits));
    one.pipe(other);
    one.on("data", used);
  }
  // What is passed on to the client counts as a sign of life as much as what comes from it.
  client.once("data", () => client.readableEnded || client.setTimeout(limits.open));
  client.once("end", () => client.setTimeout(limits.answering));
  upstream.once("end", () => client.setTimeout(limits.closing));
  client.setTimeout(limits.opening, () => client.destroy());
  used();
  // It may have gone while the backend was being reached.
  if (client.destroyed) upstream.destroy();
}

/** Closes what is left of a pair: at once, or when it has been sent the last that the other side said. */
function close(socket: Socket, ended: boolean, limits: SilenceLimits): void {
  // Closed before it had ended: what came is not the whole, and must not be taken for it.
  if (!ended) {
    socket.destroy();
    return;
  }
  socket.setTimeout(limits.closing, () => socket.destroy());
  socket.destroySoon();
}
