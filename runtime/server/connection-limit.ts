import type { Socket } from "node:net";

/** How many connections are looked at for one that is idle before the newcomer is refused. */
const LOOKS = 64;
/** How often it is found out which connections are in use, once half of those that may be are open. */
const SWEEP_MS = 250;
const REPORT_MS = 10_000;

/** Connections that were closed for others, and that were refused, since the last report. */
export interface TurnedAway {
  readonly evicted: number;
  readonly refused: number;
}

/**
 * Bounds how many connections are open at once. At the limit the one that has been idle the longest makes room, so that
 * those who hold connections and do nothing with them keep out no one else; only if all are in use is a new one refused.
 * Use is seen now and then by how many bytes have passed, so that nothing has to be noted while they do.
 */
export class ConnectionLimit {
  /** The open ones, with the bytes that had passed when each was last seen in use; first those whose use is longest ago. */
  readonly #open = new Map<Socket, number>();
  #sweeping = false;
  #turnedAway: TurnedAway | undefined;

  constructor(
    readonly max: number,
    /** Called some seconds after connections are turned away, with how many were. */
    private readonly report: (turnedAway: TurnedAway) => void = () => undefined,
  ) {}

  get size(): number {
    return this.#open.size;
  }

  /** Takes a connection, until it closes. Returns whether there was room; if not, it is destroyed. */
  admit(socket: Socket): boolean {
    if (this.#open.size >= this.max) {
      const idle = this.#idle();
      this.#count(idle !== undefined);
      (idle ?? socket).destroy();
      if (idle === undefined) return false;
      // It takes a moment to close, and is not counted meanwhile.
      this.#open.delete(idle);
    }
    this.#open.set(socket, 0);
    socket.once("close", () => this.#open.delete(socket));
    this.#sweepSoon();
    return true;
  }

  #sweepSoon(): void {
    if (this.#sweeping || this.#open.size < 0.5 * this.max) return;
    this.#sweeping = true;
    setTimeout(() => {
      this.#sweeping = false;
      for (const socket of [...this.#open.keys()]) this.look(socket);
      this.#sweepSoon();
    }, SWEEP_MS).unref();
  }

  #idle(): Socket | undefined {
    let looks = Math.min(LOOKS, this.#open.size);
    for (const socket of this.#open.keys()) {
      if (looks-- === 0) return undefined;
      if (!this.look(socket)) return socket;
    }
    return undefined;
  }

  /**
   * Whether bytes have passed since the last look. Such a connection is the last to make room from now on. To be called by
   * those who hear of every byte anyway, so that the order is exact.
   */
  look(socket: Socket): boolean {
    if (!this.#open.has(socket)) return false;
    const bytes = socket.bytesRead + socket.bytesWritten;
    if (bytes === this.#open.get(socket)) return false;
    this.#open.delete(socket);
    this.#open.set(socket, bytes);
    return true;
  }

  #count(evicted: boolean): void {
    if (this.#turnedAway === undefined) {
      setTimeout(() => {
        const turnedAway = this.#turnedAway!;
        this.#turnedAway = undefined;
        this.report(turnedAway);
      }, REPORT_MS).unref();
    }
    const before = this.#turnedAway ?? { evicted: 0, refused: 0 };
    this.#turnedAway = evicted
      ? { ...before, evicted: before.evicted + 1 }
      : { ...before, refused: before.refused + 1 };
  }
}
