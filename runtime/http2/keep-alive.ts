import type { BufferedSocket } from "./buffered-socket.js";
import { frameSizeError, protocolError } from "./errors.js";
import type { FloodGuard } from "./flood-guard.js";
import type { FrameWriter } from "./frame-writer.js";
import { Flag } from "./frames.js";
import type { Limits } from "./limits.js";
import { startTimer, stopTimer, Timer } from "./timers.js";

/** The last byte of a PING tells its acknowledgement from others. */
const KEEP_ALIVE = 1;
const ROUND_TRIP = 2;

/** The PINGs of a connection, both ways (RFC 9113, section 6.7). A silent peer is pinged, because a dead host closes nothing. */
export class KeepAlive {
  /** What the peer did since the timer started. */
  #peer: "heard" | "silent" | "pinged" = "heard";
  #roundTrip: (() => void) | undefined;
  readonly #timer = new Timer(() => this.#check());

  /** `timedOut` is called if the peer does not answer a PING in time. */
  constructor(
    private readonly limits: Limits,
    private readonly socket: BufferedSocket,
    private readonly frames: FrameWriter,
    private readonly floodGuard: FloodGuard,
    private readonly timedOut: (cause: Error) => void,
  ) {}

  start(): void {
    startTimer(this.#timer, this.limits.pingIntervalMs);
  }

  stop(): void {
    stopTimer(this.#timer);
  }

  /** The peer has sent something. */
  heard(): void {
    this.#peer = "heard";
  }

  /** Calls `done` when the peer has read all that was sent until now. */
  roundTrip(done: () => void): void {
    this.#roundTrip = done;
    this.frames.ping(ROUND_TRIP);
  }

  /** Reads a PING frame. */
  receive(flags: number, id: number, source: Buffer, start: number, end: number): void {
    if (id !== 0) throw protocolError("PING on a stream");
    if (end - start !== 8) throw frameSizeError("PING");
    if (!(flags & Flag.ACK)) {
      this.floodGuard.charge();
      this.frames.pingAck(source.subarray(start, end));
      return;
    }
    if (source[start + 7] !== ROUND_TRIP) return;
    const done = this.#roundTrip;
    this.#roundTrip = undefined;
    done?.();
  }

  #check(): void {
    const { pingIntervalMs, pingTimeoutMs } = this.limits;
    // A connection that does not read hears nothing.
    if (this.#peer === "heard" || this.socket.isPaused) {
      this.#peer = "silent";
      startTimer(this.#timer, pingIntervalMs);
      return;
    }
    if (this.#peer === "pinged") {
      this.timedOut(Object.assign(new Error("PING timed out"), { code: "ETIMEDOUT" }));
      return;
    }
    this.#peer = "pinged";
    this.frames.ping(KEEP_ALIVE);
    startTimer(this.#timer, pingTimeoutMs);
  }
}
