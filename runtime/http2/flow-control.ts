import type { BufferedSocket } from "./buffered-socket.js";
import { ConnectionFault, ErrorCode, windowOverflow } from "./errors.js";
import type { FloodGuard } from "./flood-guard.js";
import type { FrameWriter } from "./frame-writer.js";
import { DEFAULT_WINDOW, FRAME_SIZE, MAX_WINDOW } from "./frames.js";
import type { Stream } from "./stream.js";
import type { StreamTable } from "./stream-table.js";

/** The number of streams whose windows change at the price of one frame. */
const STREAMS_PER_FRAME = 64;
/** The length in bytes up to which a DATA frame earns its peer nothing, unless a message ends with it. */
const DRIBBLE = 256;

/** The window for all DATA that the peer sends on a connection (RFC 9113, section 6.9). Each stream has one of its own beside it. */
export class ReceiveWindow {
  /** The bytes that the peer may send. */
  #window: number;
  /** The bytes that have arrived and that the peer may send again, not yet announced in a WINDOW_UPDATE. */
  #credit = 0;

  constructor(
    private readonly size: number,
    private readonly frames: FrameWriter,
  ) {
    this.#window = Math.max(DEFAULT_WINDOW, size);
  }

  /** Announces a window above the default. */
  open(): void {
    if (this.#window > DEFAULT_WINDOW) this.frames.windowUpdate(0, this.#window - DEFAULT_WINDOW);
  }

  /**
   * Counts the payload of a DATA frame: padding as well, and frames of streams that are closed (section 6.9.1). Throws a
   * ConnectionFault if it is more than the window allows.
   */
  receive(length: number): void {
    this.#window -= length;
    if (this.#window < 0) {
      throw new ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window allows");
    }
    this.#credit += length;
    if (this.#credit < this.size / 2) return;
    this.frames.windowUpdate(0, this.#credit);
    this.#window += this.#credit;
    this.#credit = 0;
  }
}

/** The windows for what is sent on a connection and its streams, and the order of the streams that wait for them. */
export class SendWindows {
  /** The window of the connection. */
  #window = DEFAULT_WINDOW;
  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE. */
  #initial = DEFAULT_WINDOW;
  /** Streams with queued data and an open window of their own, the one whose turn is next first. */
  readonly #waiting = new Set<Stream>();

  constructor(
    private readonly streams: StreamTable,
    private readonly socket: BufferedSocket,
    private readonly frames: FrameWriter,
    private readonly floodGuard: FloodGuard,
  ) {}

  /** The window that a new stream begins with. */
  get initial(): number {
    return this.#initial;
  }

  /** Returns how many bytes of the stream's body both windows allow now. */
  room(stream: Stream): number {
    return Math.min(this.#window, stream.sendWindow);
  }

  /** Writes as much of `bytes` from `at` on as windows and socket allow. Returns the position of the first byte that was not written. */
  send(stream: Stream, bytes: Uint8Array, at: number, endStream: boolean): number {
    let room = Math.min(this.#window, stream.sendWindow);
    while (at < bytes.length && room > 0) {
      // Frame only what the socket takes: the rest waits where it is.
      if (!this.socket.takesMore()) break;
      const length = Math.min(bytes.length - at, room, FRAME_SIZE);
      this.frames.data(stream.id, bytes, at, length, endStream && at + length === bytes.length);
      at += length;
      room -= length;
      this.#window -= length;
      stream.sendWindow -= length;
      // The peer may answer each frame with two WINDOW_UPDATEs, but not each few bytes (CVE-2019-9511).
      if (length > DRIBBLE || at === bytes.length) this.floodGuard.earn(2);
    }
    return at;
  }

  /** Takes the stream into the order of those that wait, or out of it. */
  place(stream: Stream): void {
    // A stream whose own window is closed waits for nothing that the connection could give it.
    if (stream.queued > 0 && stream.sendWindow > 0) this.#waiting.add(stream);
    else this.#waiting.delete(stream);
  }

  /** Lets each waiting stream send in its turn, as long as the connection's window and the socket allow. */
  resumeAll(): void {
    let left = this.#waiting.size;
    for (const stream of this.#waiting) {
      // With the socket full, the rest keep their places: they may be thousands, and the socket is full again and again.
      if (left-- === 0 || this.#window <= 0 || this.socket.isFull) return;
      // Move the stream behind the others, so that the connection's window goes round.
      this.#waiting.delete(stream);
      this.#waiting.add(stream);
      stream.resume();
    }
  }

  /** Enlarges the connection's window. Throws a ConnectionFault if it grows above 2^31 - 1. */
  enlarge(increment: number): void {
    this.#window += increment;
    if (this.#window > MAX_WINDOW) throw windowOverflow("the connection's window");
    this.resumeAll();
  }

  /** Enlarges a stream's window. Returns whether it stays within 2^31 - 1. */
  enlargeStream(stream: Stream, increment: number): boolean {
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW) return false;
    if (stream.queued > 0) stream.resume();
    return true;
  }

  /**
   * Changes the window of every stream by the change of the initial window (RFC 9113, section 6.9.2). `largest` is the
   * largest of several values in one SETTINGS frame, of which the last, `initial`, holds.
   */
  changeInitial(initial: number, largest: number): void {
    if (largest <= this.#initial && initial === this.#initial) return;
    // The more streams there are, the more the frame costs the peer.
    this.floodGuard.charge(Math.floor(this.streams.size / STREAMS_PER_FRAME));
    const change = initial - this.#initial;
    const most = MAX_WINDOW - (largest - this.#initial);
    this.#initial = initial;
    for (const stream of this.streams.values()) {
      if (stream.sendWindow > most) throw windowOverflow("a stream's window");
      stream.sendWindow += change;
      if (stream.queued > 0) this.place(stream);
    }
  }
}
