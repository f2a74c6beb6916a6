import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { scheduleFlush } from "./flush.js";
import { Output } from "./output.js";
import { startTimer, stopTimer, Timer } from "./timers.js";

/** The number of unsent bytes above which senders wait, and nothing more is read from the peer. */
const HIGH_WATER = 256 * 1024;

/** Is told about the socket that it sends on. */
export interface SocketOwner {
  /** The senders that had to wait may send again. */
  writable(): void;
  /** The peer has read nothing for the stall timeout. */
  stalled(cause: Error): void;
}

/**
 * A socket with a buffer before it: the frames of one turn of the event loop leave in one write. A peer that does not read
 * gets nothing more, and nothing more is read from it.
 */
export class BufferedSocket {
  readonly output = new Output((bytes) => this.#send(bytes));
  #isFlushing = false;
  /** Whether a sender found the socket full, and waits. */
  #isFull = false;
  #isPaused = false;
  #isClosed = false;
  readonly #stall = new Timer(() => this.#checkStall());

  constructor(
    private readonly socket: Socket,
    private readonly stallTimeoutMs: number,
    private readonly owner: SocketOwner,
  ) {
    socket.on("drain", this.#sent);
  }

  /** Whether reading is paused because the peer does not read. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether senders wait until the owner's `writable`. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Returns whether a sender may put more into the output. One that may not waits until the owner's `writable`. */
  takesMore(): boolean {
    if (this.#unsent() <= HIGH_WATER) return true;
    this.#isFull = true;
    return false;
  }

  /** Stops reading from a peer that does not read. */
  pauseIfFull(): void {
    if (this.#isPaused || this.#unsent() <= HIGH_WATER) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  /** Writes the output at the end of this turn, with all that is added meanwhile. */
  flushLater(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    scheduleFlush(this);
  }

  /** Writes the output now. */
  flush(): void {
    this.#isFlushing = false;
    this.output.flush();
  }

  /** Gives up watching the peer: the owner is told nothing more. */
  close(): void {
    this.#isClosed = true;
    stopTimer(this.#stall);
  }

  #unsent(): number {
    return this.output.length + this.socket.writableLength;
  }

  /** Returns whether the system has taken all bytes that were ever sent. */
  #send(bytes: Buffer): boolean {
    const { socket } = this;
    if (!socket.writable) return true;
    // Bytes to be encrypted are still in use when `write` returns. Other sockets emit "drain" if they are full, and a callback costs.
    if ((socket as TLSSocket).encrypted) socket.write(bytes, this.#sent);
    else socket.write(bytes);
    if (socket.writableLength === 0) {
      stopTimer(this.#stall);
      return true;
    }
    if (this.#stall.slot < 0 && !this.#isClosed) startTimer(this.#stall, this.stallTimeoutMs);
    return false;
  }

  /** The peer has read something, or encrypted bytes have left. */
  readonly #sent = (): void => {
    stopTimer(this.#stall);
    if (this.socket.writableLength === 0) this.#drained();
    else if (!this.#isClosed) startTimer(this.#stall, this.stallTimeoutMs);
  };

  #drained(): void {
    this.output.release();
    if (this.#isClosed) return;
    if (this.#isFull) {
      this.#isFull = false;
      this.owner.writable();
    }
    if (this.#isPaused) {
      this.#isPaused = false;
      this.socket.resume();
    }
  }

  #checkStall(): void {
    if (this.socket.writableLength > 0) this.owner.stalled(new Error("the peer does not read what is sent to it"));
  }
}
