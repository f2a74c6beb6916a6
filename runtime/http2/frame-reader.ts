import { ConnectionFault, ErrorCode, frameSizeError, protocolError } from "./errors.js";
import type { FloodGuard } from "./flood-guard.js";
import { Flag, FRAME_HEADER, FRAME_SIZE, FrameType, preface, readUint31 } from "./frames.js";
import type { KeepAlive } from "./keep-alive.js";
import type { Limits } from "./limits.js";
import type { PeerSettings } from "./settings.js";
import type { StreamFrames } from "./stream-frames.js";
import { startTimer, stopTimer, Timer } from "./timers.js";

/** The connection that frames are read for. */
export interface FrameReaderOwner {
  readonly role: "server" | "client";
  readonly limits: Limits;
  /** A GOAWAY frame has arrived. */
  goAway(id: number, source: Buffer, start: number, end: number): void;
  /** Ends the connection. */
  fail(fault: ConnectionFault): void;
}

/** A header block of which CONTINUATION frames are still to come. */
interface OpenBlock {
  readonly stream: number;
  readonly endStream: boolean;
  readonly fragments: Buffer[];
  length: number;
  continuations: number;
}

/**
 * Cuts what a peer sends into frames, and hands each to the part of the connection that handles its type. Payloads are
 * passed as `source` from `start` to `end`, valid only during the call.
 */
export class FrameReader {
  /** What the peer has to send next. */
  #expected: "preface" | "settings" | "frame" | "continuation" | "nothing";
  #prefaceAt = 0;
  /** The beginning of a frame that has not arrived completely. */
  #rest: Buffer | undefined;
  #block: OpenBlock | undefined;
  readonly #timeout = new Timer(() => this.#timedOut());

  constructor(
    private readonly owner: FrameReaderOwner,
    private readonly streams: StreamFrames,
    private readonly settings: PeerSettings,
    private readonly keepAlive: KeepAlive,
    private readonly floodGuard: FloodGuard,
  ) {
    this.#expected = owner.role === "server" ? "preface" : "settings";
  }

  /** Bounds the time until the first frame. */
  start(): void {
    startTimer(this.#timeout, this.owner.limits.frameTimeoutMs);
  }

  /** Drops what has not been handled. Nothing more is read. */
  close(): void {
    this.#expected = "nothing";
    this.#rest = undefined;
    this.#block = undefined;
    stopTimer(this.#timeout);
  }

  /** Reads what has arrived. Throws a ConnectionFault if the peer breaks the protocol. */
  read(chunk: Buffer): void {
    let source = chunk;
    let at = this.#expected === "preface" ? this.#readPreface(chunk) : 0;
    if (this.#rest !== undefined) {
      source = Buffer.concat([this.#rest, chunk]);
      this.#rest = undefined;
    }
    let hasCompleted = false;
    while (source.length - at >= FRAME_HEADER) {
      const length = ((source[at] as number) << 16) | ((source[at + 1] as number) << 8) | (source[at + 2] as number);
      if (length > FRAME_SIZE) throw new ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
      const start = at + FRAME_HEADER;
      const end = start + length;
      if (end > source.length) break;
      this.#frame(source[at + 3] as number, source[at + 4] as number, readUint31(source, at + 5), source, start, end);
      at = end;
      if (this.#expected === "nothing") return;
      if (this.#expected !== "continuation") hasCompleted = true;
    }
    if (at < source.length) this.#rest = source.subarray(at);
    if (this.#rest === undefined && this.#expected === "frame") stopTimer(this.#timeout);
    else if (hasCompleted || this.#timeout.slot < 0) startTimer(this.#timeout, this.owner.limits.frameTimeoutMs);
  }

  /** Reads as much of the preface as there is. Returns where it stopped. */
  #readPreface(chunk: Buffer): number {
    let at = 0;
    while (this.#prefaceAt < preface.length) {
      if (at === chunk.length) return at;
      if (chunk[at++] !== preface[this.#prefaceAt++]) {
        throw protocolError("the connection does not begin with HTTP/2's preface");
      }
    }
    this.#expected = "settings";
    return at;
  }

  #frame(type: number, flags: number, id: number, source: Buffer, start: number, end: number): void {
    if (this.#expected !== "frame") this.#checkOrder(type, flags, id);
    switch (type) {
      case FrameType.DATA:
        this.streams.data(flags, id, source, start, end);
        return;
      case FrameType.HEADERS:
        this.#headers(flags, id, source, start, end);
        return;
      case FrameType.PRIORITY:
        this.streams.priority(id, source, start, end);
        return;
      case FrameType.RST_STREAM:
        this.streams.rstStream(id, source, start, end);
        return;
      case FrameType.SETTINGS:
        this.settings.receive(flags, id, source, start, end);
        return;
      case FrameType.PUSH_PROMISE:
        throw protocolError(
          this.owner.role === "client" ? "PUSH_PROMISE was not allowed" : "a client sent PUSH_PROMISE",
        );
      case FrameType.PING:
        this.keepAlive.receive(flags, id, source, start, end);
        return;
      case FrameType.GOAWAY:
        this.owner.goAway(id, source, start, end);
        return;
      case FrameType.WINDOW_UPDATE:
        this.streams.windowUpdate(id, source, start, end);
        return;
      case FrameType.CONTINUATION:
        this.#continuation(flags, source, start, end);
        return;
      default:
        // Frames of extensions are ignored (RFC 9113, section 5.5).
        this.floodGuard.charge();
    }
  }

  /** SETTINGS come first (RFC 9113, section 3.4), and nothing comes between the frames of a header block (section 4.3). */
  #checkOrder(type: number, flags: number, id: number): void {
    if (this.#expected === "settings") {
      if (type !== FrameType.SETTINGS || flags & Flag.ACK) throw protocolError("the first frame is not SETTINGS");
      this.#expected = "frame";
    } else if (type !== FrameType.CONTINUATION || id !== this.#block?.stream) {
      throw protocolError("a header block is interrupted");
    }
  }

  /** RFC 9113, section 6.2. */
  #headers(flags: number, id: number, source: Buffer, start: number, end: number): void {
    if (id === 0) throw protocolError("HEADERS on stream 0");
    if (flags & Flag.PADDED) {
      if (start === end) throw frameSizeError("HEADERS");
      const padding = source[start++] as number;
      if (padding > end - start) throw protocolError("more padding than frame");
      end -= padding;
    }
    if (flags & Flag.PRIORITY) {
      if (end - start < 5) {
        throw flags & Flag.PADDED ? protocolError("more padding than frame") : frameSizeError("HEADERS");
      }
      if (readUint31(source, start) === id) throw protocolError("a stream depends on itself");
      start += 5;
    }
    const endStream = (flags & Flag.END_STREAM) !== 0;
    if (flags & Flag.END_HEADERS) {
      this.streams.headerBlock(id, endStream, source, start, end);
      return;
    }
    const fragments = [Buffer.from(source.subarray(start, end))];
    this.#block = { stream: id, endStream, fragments, length: end - start, continuations: 0 };
    this.#expected = "continuation";
  }

  /** RFC 9113, section 6.10. A header block without end is cut off (CVE-2024-27316). */
  #continuation(flags: number, source: Buffer, start: number, end: number): void {
    const { maxHeaderBlockSize } = this.owner.limits;
    const open = this.#block;
    if (open === undefined) throw protocolError("CONTINUATION without HEADERS");
    open.length += end - start;
    if (open.length > maxHeaderBlockSize || ++open.continuations > 8 + maxHeaderBlockSize / 1024) {
      throw new ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a header block that is too long");
    }
    if (end > start) open.fragments.push(Buffer.from(source.subarray(start, end)));
    if (!(flags & Flag.END_HEADERS)) return;
    this.#block = undefined;
    this.#expected = "frame";
    const block = Buffer.concat(open.fragments);
    this.streams.headerBlock(open.stream, open.endStream, block, 0, block.length);
  }

  #timedOut(): void {
    const text = "a frame or a header block takes too long to arrive";
    this.owner.fail(new ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, text));
  }
}
