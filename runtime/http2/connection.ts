import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { Backlog } from "./backlog.js";
import { ConnectionFault, ErrorCode, errorName, frameSizeError, protocolError, windowOverflow } from "./errors.js";
import type { HeaderBlock } from "./field.js";
import { FloodGuard } from "./flood-guard.js";
import { flushWaiting, scheduleFlush } from "./flush.js";
import {
  DEFAULT_WINDOW,
  Flag,
  FRAME_HEADER,
  FRAME_SIZE,
  FrameType,
  MAX_STREAM_ID,
  MAX_WINDOW,
  preface,
  readUint31,
  readUint32,
  Setting,
  setFrameLength,
  writeFrameHeader,
  writeUint32,
} from "./frames.js";
import { HpackDecoder } from "./hpack-decoder.js";
import { ConstantBlock, type FieldList, HpackEncoder } from "./hpack-encoder.js";
import type { Limits } from "./limits.js";
import { Output } from "./output.js";
import { ResetPace } from "./reset-pace.js";
import { Stream } from "./stream.js";
import { startTimer, stopTimer, Timer } from "./timers.js";

/** What the two ends of a connection do differently. */
export interface ConnectionHandler {
  /** The peer opened a stream. Its consumer is set here. Only servers are asked. */
  opened(stream: Stream, block: HeaderBlock, endStream: boolean): void;
  /** All that has arrived by now has been read. */
  received?(): void;
  /** There may be room for more streams of one's own: one has ended, or the peer's settings have changed. */
  available?(): void;
  /** The peer takes no more streams on this connection (GOAWAY). Those above `lastStream` it has not looked at. */
  leaving?(lastStream: number): void;
  /** The connection is over. */
  closed?(cause: Error | undefined): void;
}

/** Above this, a peer that does not read is no longer listened to. */
const HIGH_WATER = 256 * 1024;
/** Streams that were reset here a moment ago: what the peer sent on them before it knew is no mistake. */
const REMEMBERED_RESETS = 256;
/** How long what is left of a connection may stay after its last frame, in milliseconds. */
const LINGER = 1_000;

/** How many streams are gone through at the price of one frame. */
const STREAMS_FOR_ONE = 64;
/** How many bytes of a header block that is too large are read at the price of one frame. */
const HEADER_BYTES_FOR_ONE = 128;
/** Less of a body than this in a frame leads to nothing, unless it is the end of a message. */
const DRIBBLE = 256;

const KEEP_ALIVE = 1;
const DRAIN = 2;

/**
 * One HTTP/2 connection, of a server or a client (RFC 9113): frames, header compression, settings, streams and their
 * windows, pings, GOAWAY. It knows nothing of what messages mean.
 *
 * What a peer can make it keep or do is bounded by its limits; a peer that goes beyond them, or breaks the protocol, is
 * told so by the code that RFC 9113 names, in RST_STREAM where one stream is at fault, else in GOAWAY.
 */
export class Connection {
  readonly output = new Output((bytes) => this.#send(bytes));
  readonly streams = new Map<number, Stream>();
  /** What waits to be sent to a client. */
  readonly backlog: Backlog;
  isClosed = false;
  /** No more streams: one side has said so, or the connection is being closed. */
  isLeaving = false;
  /** The peer's SETTINGS_MAX_CONCURRENT_STREAMS. */
  peerMaxStreams = Number.POSITIVE_INFINITY;
  /** Whether the peer's first SETTINGS have come. */
  isReady = false;

  readonly #encoder = new HpackEncoder();
  readonly #decoder: HpackDecoder;
  readonly #floodGuard = new FloodGuard();
  /** For streams of one's own that are given up. */
  readonly resetPace = new ResetPace();

  // What arrives.
  #prefaceAt: number;
  #rest: Buffer | undefined;
  #fragments: Buffer[] | undefined;
  #fragmentsLength = 0;
  #fragmentsCount = 0;
  #fragmentsStream = 0;
  #fragmentsEnd = false;
  #lastPeerStream = 0;
  #receiveWindow: number;
  #credit = 0;
  readonly #resets = new Set<number>();
  #isPaused = false;

  // What leaves.
  #sendWindow = DEFAULT_WINDOW;
  #peerInitialWindow = DEFAULT_WINDOW;
  #nextStream = 1;
  /** Streams that have something to send, and a window of their own for it. */
  readonly #waiting = new Set<Stream>();
  #isBackedUp = false;
  #ackedSettings = 0;

  // Its end.
  #isDraining = false;
  #lastAccepted = MAX_STREAM_ID;
  #cause: Error | undefined;

  // Time.
  #heard = true;
  #completed = 0;
  #isPinging = false;
  readonly #silence = new Timer(() => this.#checkSilence());
  readonly #partial = new Timer(() => this.#tooSlow());
  readonly #stall = new Timer(() => this.#stalled());

  constructor(
    readonly socket: Socket,
    readonly role: "server" | "client",
    readonly limits: Limits,
    readonly handler: ConnectionHandler,
  ) {
    this.backlog = new Backlog(limits, () => this.#dropAnswers());
    this.#decoder = new HpackDecoder(4096, limits.maxHeaderListSize);
    this.#receiveWindow = Math.max(DEFAULT_WINDOW, limits.connectionWindow);
    this.#prefaceAt = role === "server" ? 0 : preface.length;
    socket.setNoDelay(true);
    // A peer that has closed its half can do nothing any more.
    socket.allowHalfOpen = false;
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    socket.on("drain", this.#sent);
    socket.on("error", (error) => {
      this.#cause ??= error;
    });
    socket.on("close", () => this.#lost());
    socket.on("end", () => this.destroy(this.#cause));
    this.#open();
    startTimer(this.#partial, limits.frameTimeoutMs);
    startTimer(this.#silence, limits.pingIntervalMs);
  }

  #open(): void {
    const { limits, output } = this;
    if (this.role === "client") output.write(preface);
    const settings = [
      [Setting.INITIAL_WINDOW_SIZE, limits.streamWindow],
      [Setting.MAX_HEADER_LIST_SIZE, limits.maxHeaderListSize],
      this.role === "client" ? [Setting.ENABLE_PUSH, 0] : [Setting.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
    ] as const;
    output.reserve(FRAME_HEADER + settings.length * 6);
    writeFrameHeader(output, settings.length * 6, FrameType.SETTINGS, 0, 0);
    for (const [name, value] of settings) {
      output.buffer[output.at++] = 0;
      output.buffer[output.at++] = name;
      writeUint32(output, value);
    }
    if (this.#receiveWindow > DEFAULT_WINDOW) this.#writeWindowUpdate(0, this.#receiveWindow - DEFAULT_WINDOW);
    this.wrote();
  }

  // ---------------------------------------------------------------------------------------------------------- receiving

  /** Takes what has arrived. */
  receive(chunk: Buffer): void {
    flushWaiting();
    if (this.isClosed) return;
    this.#heard = true;
    const completed = this.#completed;
    try {
      this.#read(chunk);
    } catch (error) {
      if (error instanceof ConnectionFault) this.fail(error);
      else this.fail(new ConnectionFault(ErrorCode.INTERNAL_ERROR, String(error)), error as Error);
      return;
    }
    if (this.isClosed) return;
    this.handler.received?.();
    if (this.#rest === undefined && this.#fragments === undefined && this.isReady) stopTimer(this.#partial);
    else if (this.#completed !== completed || this.#partial.slot < 0) {
      startTimer(this.#partial, this.limits.frameTimeoutMs);
    }
    if (!this.#isPaused && this.#backlog() > HIGH_WATER) {
      this.#isPaused = true;
      this.socket.pause();
    }
  }

  #read(chunk: Buffer): void {
    let source = chunk;
    let at = 0;
    while (this.#prefaceAt < preface.length) {
      if (at === source.length) return;
      if (source[at++] !== preface[this.#prefaceAt++]) {
        throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the connection does not begin with HTTP/2's preface");
      }
    }
    if (this.#rest !== undefined) {
      source = Buffer.concat([this.#rest, chunk]);
      this.#rest = undefined;
    }
    while (source.length - at >= FRAME_HEADER) {
      const length = ((source[at] as number) << 16) | ((source[at + 1] as number) << 8) | (source[at + 2] as number);
      if (length > FRAME_SIZE) throw new ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
      const start = at + FRAME_HEADER;
      if (source.length - start < length) break;
      this.#frame(
        source[at + 3] as number,
        source[at + 4] as number,
        readUint31(source, at + 5),
        source,
        start,
        start + length,
      );
      at = start + length;
      if (this.isClosed) return;
      if (this.#fragments === undefined) this.#completed++;
    }
    if (at < source.length) this.#rest = source.subarray(at);
  }

  #frame(type: number, flags: number, id: number, source: Buffer, start: number, end: number): void {
    if (!this.isReady && (type !== FrameType.SETTINGS || flags & Flag.ACK)) {
      throw protocolError("the first frame is not SETTINGS");
    }
    if (this.#fragments !== undefined && (type !== FrameType.CONTINUATION || id !== this.#fragmentsStream)) {
      throw protocolError("a header block is interrupted");
    }
    switch (type) {
      case FrameType.DATA:
        this.#data(flags, id, source, start, end);
        return;
      case FrameType.HEADERS:
        this.#headers(flags, id, source, start, end);
        return;
      case FrameType.PRIORITY:
        this.#priority(id, source, start, end);
        return;
      case FrameType.RST_STREAM:
        this.#rstStream(id, source, start, end);
        return;
      case FrameType.SETTINGS:
        this.#settings(flags, id, source, start, end);
        return;
      case FrameType.PUSH_PROMISE:
        throw protocolError(this.role === "client" ? "PUSH_PROMISE was not allowed" : "a client sent PUSH_PROMISE");
      case FrameType.PING:
        this.#ping(flags, id, source, start, end);
        return;
      case FrameType.GOAWAY:
        this.#goAway(id, source, start, end);
        return;
      case FrameType.WINDOW_UPDATE:
        this.#windowUpdate(id, source, start, end);
        return;
      case FrameType.CONTINUATION:
        this.#continuation(flags, source, start, end);
        return;
      default:
        // Extensions are to be ignored (RFC 9113, section 5.5).
        this.#floodGuard.charge();
    }
  }

  /** RFC 9113, section 6.1. */
  #data(flags: number, id: number, source: Buffer, start: number, end: number): void {
    const length = end - start;
    const stream = this.#known(id, "DATA");
    // Padding counts, and so does what is sent on streams that are no more (section 6.9.1).
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) {
      throw new ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window allows");
    }
    this.#credit += length;
    if (this.#credit >= this.limits.connectionWindow / 2) {
      this.#writeWindowUpdate(0, this.#credit);
      this.#receiveWindow += this.#credit;
      this.#credit = 0;
    }
    if (flags & Flag.PADDED) {
      if (length === 0) throw frameSizeError("DATA");
      const padding = source[start++] as number;
      if (padding > end - start) throw protocolError("more padding than frame");
      end -= padding;
    }
    const endStream = (flags & Flag.END_STREAM) !== 0;
    if (start === end && !endStream) this.#floodGuard.charge();
    if (stream === undefined) {
      this.#afterTheEnd(id);
      return;
    }
    if (stream.isRemoteEnded) {
      this.#streamFault(stream, ErrorCode.STREAM_CLOSED);
      return;
    }
    if (!stream.hasHeaders) {
      this.#streamFault(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.#streamFault(stream, ErrorCode.FLOW_CONTROL_ERROR);
      return;
    }
    stream.receivedLength += end - start;
    if (
      stream.expectedLength >= 0 &&
      (endStream ? stream.receivedLength !== stream.expectedLength : stream.receivedLength > stream.expectedLength)
    ) {
      // Section 8.1.1: malformed.
      this.#streamFault(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (endStream) stream.isRemoteEnded = true;
    else if (length > end - start) stream.consumed(length - (end - start));
    stream.consumer.data(source, start, end, endStream);
    if (endStream && stream.isLocalEnded) this.ended(stream);
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
      if (end - start < 5)
        throw flags & Flag.PADDED ? protocolError("more padding than frame") : frameSizeError("HEADERS");
      if (readUint31(source, start) === id) throw protocolError("a stream depends on itself");
      start += 5;
    }
    const endStream = (flags & Flag.END_STREAM) !== 0;
    if (flags & Flag.END_HEADERS) {
      this.#block(id, endStream, source, start, end);
      return;
    }
    this.#fragments = [Buffer.from(source.subarray(start, end))];
    this.#fragmentsLength = end - start;
    this.#fragmentsCount = 0;
    this.#fragmentsStream = id;
    this.#fragmentsEnd = endStream;
  }

  /** RFC 9113, section 6.10. A header block without end is cut off (CVE-2024-27316). */
  #continuation(flags: number, source: Buffer, start: number, end: number): void {
    const { limits } = this;
    if (this.#fragments === undefined) throw protocolError("CONTINUATION without HEADERS");
    this.#fragmentsLength += end - start;
    if (
      this.#fragmentsLength > limits.maxHeaderBlockSize ||
      ++this.#fragmentsCount > 8 + limits.maxHeaderBlockSize / 1024
    ) {
      throw new ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a header block that is too long");
    }
    if (end > start) this.#fragments.push(Buffer.from(source.subarray(start, end)));
    if (!(flags & Flag.END_HEADERS)) return;
    const block = Buffer.concat(this.#fragments);
    this.#fragments = undefined;
    this.#block(this.#fragmentsStream, this.#fragmentsEnd, block, 0, block.length);
  }

  /** A whole header block. It is decoded whatever becomes of its stream, because both sides' tables must stay the same. */
  #block(id: number, endStream: boolean, source: Buffer, start: number, end: number): void {
    const block = this.#decoder.decode(source, start, end);
    if (block.isTooLarge) this.#floodGuard.charge(Math.floor((end - start) / HEADER_BYTES_FOR_ONE));
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.#opening(id, block, endStream);
      return;
    }
    if (stream.isRemoteEnded) {
      this.#streamFault(stream, ErrorCode.STREAM_CLOSED);
      return;
    }
    // Trailers end a message (section 8.1).
    if (stream.hasHeaders && !endStream) {
      this.#streamFault(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (endStream) stream.isRemoteEnded = true;
    if (endStream && stream.expectedLength >= 0 && stream.receivedLength !== stream.expectedLength) {
      this.#streamFault(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    stream.consumer.headers(block, endStream);
    if (endStream && stream.isLocalEnded) this.ended(stream);
  }

  #opening(id: number, block: HeaderBlock, endStream: boolean): void {
    if (this.role === "client") {
      if (id % 2 === 0 || id >= this.#nextStream) throw protocolError(`HEADERS on stream ${id}, which is idle`);
      // An answer that crossed with a reset.
      this.#floodGuard.charge();
      return;
    }
    if (id % 2 === 0) throw protocolError(`a client opened stream ${id}`);
    if (id <= this.#lastPeerStream) {
      if (this.#resets.has(id)) {
        this.#floodGuard.charge();
        return;
      }
      throw new ConnectionFault(ErrorCode.STREAM_CLOSED, `HEADERS on stream ${id}, which is closed`);
    }
    this.#lastPeerStream = id;
    // After the GOAWAY that counts, new streams are ignored: their client sends them elsewhere (section 6.8).
    if (id > this.#lastAccepted) {
      this.#floodGuard.charge();
      return;
    }
    const stream = new Stream(this, id, this.#peerInitialWindow, this.limits.streamWindow);
    stream.hasHeaders = true;
    stream.isRemoteEnded = endStream;
    this.streams.set(id, stream);
    if (this.streams.size > this.limits.maxConcurrentStreams) {
      this.#floodGuard.charge();
      stream.reset(ErrorCode.REFUSED_STREAM);
      return;
    }
    this.handler.opened(stream, block, endStream);
  }

  /** RFC 9113, section 6.3: priorities are deprecated, but their frames must be in order. */
  #priority(id: number, source: Buffer, start: number, end: number): void {
    if (id === 0) throw protocolError("PRIORITY on stream 0");
    this.#floodGuard.charge();
    if (end - start !== 5) {
      const stream = this.streams.get(id);
      if (stream !== undefined) {
        this.#streamFault(stream, ErrorCode.FRAME_SIZE_ERROR);
        return;
      }
      throw frameSizeError("PRIORITY");
    }
    if (readUint31(source, start) !== id) return;
    const stream = this.streams.get(id);
    if (stream !== undefined) {
      this.#streamFault(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    throw protocolError("a stream depends on itself");
  }

  /** RFC 9113, section 6.4. */
  #rstStream(id: number, source: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw frameSizeError("RST_STREAM");
    const stream = this.#known(id, "RST_STREAM");
    // Opening streams only to reset them is work for nothing (CVE-2023-44487). Answered calls make up for it.
    if (this.role === "server") this.#floodGuard.charge();
    if (stream === undefined) return;
    const code = readUint32(source, start);
    this.#remove(stream);
    stream.consumer.closed(code, undefined);
  }

  /** RFC 9113, section 6.5. */
  #settings(flags: number, id: number, source: Buffer, start: number, end: number): void {
    if (id !== 0) throw protocolError("SETTINGS on a stream");
    if (flags & Flag.ACK) {
      if (start !== end) throw frameSizeError("SETTINGS");
      if (++this.#ackedSettings > 1) throw protocolError("SETTINGS that were never sent are acknowledged");
      return;
    }
    if ((end - start) % 6 !== 0) throw frameSizeError("SETTINGS");
    this.#floodGuard.charge(Math.max(1, (end - start) / 6));
    let window = this.#peerInitialWindow;
    let widest = window;
    for (let at = start; at < end; at += 6) {
      const name = ((source[at] as number) << 8) | (source[at + 1] as number);
      const value = readUint32(source, at + 2);
      if (name !== Setting.INITIAL_WINDOW_SIZE) this.#setting(name, value);
      else {
        if (value > MAX_WINDOW) throw windowOverflow("a window");
        window = value;
        widest = Math.max(widest, value);
      }
    }
    if (widest > this.#peerInitialWindow || window !== this.#peerInitialWindow) this.#changeWindows(window, widest);
    this.output.reserve(FRAME_HEADER);
    writeFrameHeader(this.output, 0, FrameType.SETTINGS, Flag.ACK, 0);
    this.wrote();
    this.isReady = true;
    this.#resumeAll();
    this.handler.available?.();
  }

  #setting(name: number, value: number): void {
    switch (name) {
      case Setting.HEADER_TABLE_SIZE:
        this.#encoder.setMaxTableSize(value);
        return;
      case Setting.ENABLE_PUSH:
        if (value > 1 || (this.role === "client" && value === 1)) throw protocolError("ENABLE_PUSH has no such value");
        return;
      case Setting.MAX_CONCURRENT_STREAMS:
        this.peerMaxStreams = value;
        return;
      case Setting.MAX_FRAME_SIZE:
        // Frames of the size that everyone takes are sent, so the value changes nothing.
        if (value < FRAME_SIZE || value > 2 ** 24 - 1) throw protocolError("MAX_FRAME_SIZE is out of bounds");
    }
  }

  /**
   * RFC 9113, section 6.9.2. All streams are gone through, so the more there are, the more it costs the peer. `widest` is
   * the largest of several values in one frame, of which the last is the one that holds.
   */
  #changeWindows(window: number, widest: number): void {
    this.#floodGuard.charge(Math.floor(this.streams.size / STREAMS_FOR_ONE));
    const change = window - this.#peerInitialWindow;
    const most = MAX_WINDOW - (widest - this.#peerInitialWindow);
    this.#peerInitialWindow = window;
    for (const stream of this.streams.values()) {
      if (stream.sendWindow > most) throw windowOverflow("a stream's window");
      stream.sendWindow += change;
      if (stream.queued > 0) this.#place(stream);
    }
  }

  /** RFC 9113, section 6.7. */
  #ping(flags: number, id: number, source: Buffer, start: number, end: number): void {
    if (id !== 0) throw protocolError("PING on a stream");
    if (end - start !== 8) throw frameSizeError("PING");
    if (flags & Flag.ACK) {
      if (source[start + 7] === DRAIN) this.#goAwayForGood();
      this.#isPinging = false;
      return;
    }
    this.#floodGuard.charge();
    this.output.reserve(FRAME_HEADER + 8);
    writeFrameHeader(this.output, 8, FrameType.PING, Flag.ACK, 0);
    this.output.write(source.subarray(start, end));
    this.wrote();
  }

  /** RFC 9113, section 6.8. */
  #goAway(id: number, source: Buffer, start: number, end: number): void {
    if (id !== 0) throw protocolError("GOAWAY on a stream");
    if (end - start < 8) throw frameSizeError("GOAWAY");
    this.#floodGuard.charge();
    const last = readUint31(source, start);
    const code = readUint32(source, start + 4);
    if (this.role === "server") {
      // A client that leaves: it is let go once its calls are answered.
      this.isLeaving = true;
      this.#closeIfDone();
      return;
    }
    this.isLeaving = true;
    this.handler.leaving?.(last);
    for (const stream of [...this.streams.values()]) {
      if (stream.id <= last) continue;
      this.#remove(stream);
      stream.consumer.closed(ErrorCode.REFUSED_STREAM, undefined);
    }
    if (code !== ErrorCode.NO_ERROR) {
      this.#cause ??= new Error(`the peer closed the connection: ${errorName(code)}`);
    }
    this.#closeIfDone();
  }

  /** RFC 9113, section 6.9. */
  #windowUpdate(id: number, source: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw frameSizeError("WINDOW_UPDATE");
    const increment = readUint31(source, start);
    this.#floodGuard.charge();
    if (id === 0) {
      if (increment === 0) throw protocolError("a window is enlarged by 0");
      this.#sendWindow += increment;
      if (this.#sendWindow > MAX_WINDOW) {
        throw windowOverflow("the connection's window");
      }
      this.#resumeAll();
      return;
    }
    const stream = this.#known(id, "WINDOW_UPDATE");
    if (stream === undefined) {
      if (increment === 0) this.#writeRstStream(id, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (increment === 0) {
      this.#streamFault(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW) {
      this.#streamFault(stream, ErrorCode.FLOW_CONTROL_ERROR);
      return;
    }
    if (stream.queued > 0) stream.resume();
  }

  /** The stream a frame is for; undefined if it is closed. One that was never opened must get no such frame. */
  #known(id: number, type: string): Stream | undefined {
    const stream = this.streams.get(id);
    if (stream !== undefined) return stream;
    if (id === 0) throw protocolError(`${type} on stream 0`);
    const isIdle =
      this.role === "server" ? id % 2 === 0 || id > this.#lastPeerStream : id % 2 === 0 || id >= this.#nextStream;
    if (isIdle) throw protocolError(`${type} on stream ${id}, which is idle`);
    return undefined;
  }

  /** DATA for a stream that is closed: harmless if it crossed with a reset. */
  #afterTheEnd(id: number): void {
    if (this.role === "client" || this.#resets.has(id) || id > this.#lastAccepted) return;
    this.#floodGuard.charge();
    this.#writeRstStream(id, ErrorCode.STREAM_CLOSED);
  }

  /** A mistake that spoils one stream (RFC 9113, section 5.4.2). */
  #streamFault(stream: Stream, code: number): void {
    this.#floodGuard.charge();
    const { consumer } = stream;
    stream.reset(code);
    consumer.closed(code, undefined);
  }

  /** A reset for which the peer is to blame: many of them end the connection. */
  blame(stream: Stream, code: number): void {
    stream.reset(code);
    if (this.#floodGuard.spend(1)) return;
    this.fail(new ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many streams that lead to nothing"));
  }

  // ------------------------------------------------------------------------------------------------------------ sending

  /** Opens a stream of one's own. There must be room for it: see `canOpen`. */
  open(): Stream {
    const stream = new Stream(this, this.#nextStream, this.#peerInitialWindow, this.limits.streamWindow);
    this.#nextStream += 2;
    this.streams.set(stream.id, stream);
    return stream;
  }

  get canOpen(): boolean {
    return !this.isClosed && !this.isLeaving && this.streams.size < this.peerMaxStreams && !this.isUsedUp;
  }

  /** Whether the next stream needs another connection: every id has been used, or too many calls wait to be reset. */
  get isUsedUp(): boolean {
    return this.#nextStream > MAX_STREAM_ID || this.resetPace.isBehind;
  }

  /** How much of a stream's body can be sent now. */
  room(stream: Stream): number {
    return Math.min(this.#sendWindow, stream.sendWindow);
  }

  writeHeaders(stream: Stream, fields: FieldList | ConstantBlock, endStream: boolean): void {
    const { output } = this;
    const list = fields instanceof ConstantBlock ? fields.fields : fields;
    output.reserve(FRAME_HEADER + this.#encoder.room(list));
    const { buffer, at } = output;
    const flags = endStream ? Flag.END_HEADERS | Flag.END_STREAM : Flag.END_HEADERS;
    writeFrameHeader(output, 0, FrameType.HEADERS, flags, stream.id);
    if (fields instanceof ConstantBlock) this.#encoder.encodeConstant(fields, output);
    else this.#encoder.encode(fields, output);
    const length = output.at - at - FRAME_HEADER;
    if (length <= FRAME_SIZE) setFrameLength(buffer, at, length);
    else this.#splitHeaders(stream, at, length, endStream);
    this.wrote();
  }

  #splitHeaders(stream: Stream, at: number, length: number, endStream: boolean): void {
    const { output } = this;
    const block = Buffer.from(output.buffer.subarray(at + FRAME_HEADER, at + FRAME_HEADER + length));
    output.at = at;
    for (let from = 0; from < length; from += FRAME_SIZE) {
      const part = block.subarray(from, from + FRAME_SIZE);
      output.reserve(FRAME_HEADER + part.length);
      const isLast = from + FRAME_SIZE >= length;
      const type = from === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      const flags = (isLast ? Flag.END_HEADERS : 0) | (from === 0 && endStream ? Flag.END_STREAM : 0);
      writeFrameHeader(output, part.length, type, flags, stream.id);
      output.write(part);
    }
  }

  /** Writes as much of `bytes`, from `at` on, as the windows allow; answers up to where it came. */
  writeData(stream: Stream, bytes: Uint8Array, at: number, endStream: boolean): number {
    const { output } = this;
    let room = Math.min(this.#sendWindow, stream.sendWindow);
    while (at < bytes.length && room > 0) {
      // Only what the socket takes is put together: the rest waits where it is.
      if (this.#backlog() > HIGH_WATER) {
        this.#isBackedUp = true;
        break;
      }
      const length = Math.min(bytes.length - at, room, FRAME_SIZE);
      const isLast = endStream && at + length === bytes.length;
      output.reserve(FRAME_HEADER + length);
      writeFrameHeader(output, length, FrameType.DATA, isLast ? Flag.END_STREAM : 0, stream.id);
      if (at === 0 && length === bytes.length) output.buffer.set(bytes, output.at);
      else output.buffer.set(bytes.subarray(at, at + length), output.at);
      output.at += length;
      at += length;
      room -= length;
      this.#sendWindow -= length;
      stream.sendWindow -= length;
      // The peer may enlarge both windows after each frame; but not by next to nothing each time (CVE-2019-9511).
      if (length > DRIBBLE || at === bytes.length) this.#floodGuard.earn(2);
    }
    this.wrote();
    return at;
  }

  /** An empty DATA frame that ends this side's half. */
  writeEnd(stream: Stream): void {
    this.output.reserve(FRAME_HEADER);
    writeFrameHeader(this.output, 0, FrameType.DATA, Flag.END_STREAM, stream.id);
    this.wrote();
  }

  writeReset(stream: Stream, code: number): void {
    this.#writeRstStream(stream.id, code);
    this.#resets.add(stream.id);
    if (this.#resets.size > REMEMBERED_RESETS) {
      const [oldest] = this.#resets;
      this.#resets.delete(oldest as number);
    }
    this.#remove(stream);
  }

  /** Gives the peer back what it may send on a stream. */
  writeCredit(stream: Stream): void {
    stream.receiveWindow += stream.credit;
    this.#writeWindowUpdate(stream.id, stream.credit);
    stream.credit = 0;
  }

  #writeRstStream(id: number, code: number): void {
    this.output.reserve(FRAME_HEADER + 4);
    writeFrameHeader(this.output, 4, FrameType.RST_STREAM, 0, id);
    writeUint32(this.output, code);
    this.wrote();
  }

  #writeWindowUpdate(id: number, increment: number): void {
    this.output.reserve(FRAME_HEADER + 4);
    writeFrameHeader(this.output, 4, FrameType.WINDOW_UPDATE, 0, id);
    writeUint32(this.output, increment);
    this.wrote();
  }

  #writePing(purpose: number): void {
    this.output.reserve(FRAME_HEADER + 8);
    writeFrameHeader(this.output, 8, FrameType.PING, 0, 0);
    writeUint32(this.output, 0);
    writeUint32(this.output, purpose);
    this.wrote();
  }

  #writeGoAway(last: number, code: number, message: string): void {
    const debug = Buffer.from(message);
    this.output.reserve(FRAME_HEADER + 8 + debug.length);
    writeFrameHeader(this.output, 8 + debug.length, FrameType.GOAWAY, 0, 0);
    writeUint32(this.output, last);
    writeUint32(this.output, code);
    this.output.write(debug);
    this.wrote();
  }

  /** A stream has more to send than goes now. */
  waits(stream: Stream, bytes: number): void {
    if (this.role === "server") this.backlog.add(bytes);
    this.#place(stream);
  }

  /** Of what waited on a stream, so many bytes have been sent or are dropped. */
  waitsLess(stream: Stream, bytes: number): void {
    if (this.role === "server" && bytes > 0) this.backlog.remove(bytes);
    this.#place(stream);
  }

  /** One that is stopped by its own window waits for nothing that the connection could give it. */
  #place(stream: Stream): void {
    if (stream.queued > 0 && stream.sendWindow > 0) this.#waiting.add(stream);
    else this.#waiting.delete(stream);
  }

  /** Ends the streams whose answers the peer does not take. */
  #dropAnswers(): void {
    for (const stream of [...this.streams.values()]) if (stream.queued > 0) stream.giveUp();
  }

  /** Lets those that wait send on, each in its turn. */
  #resumeAll(): void {
    let left = this.#waiting.size;
    for (const stream of this.#waiting) {
      // Once the socket is full, those that are left keep their places: they may be thousands, and it is full again and again.
      if (left-- === 0 || this.#sendWindow <= 0 || this.#isBackedUp || this.isClosed) return;
      // Behind the others, so that the connection's window goes round.
      this.#waiting.delete(stream);
      this.#waiting.add(stream);
      stream.resume();
    }
  }

  #backlog(): number {
    return this.output.length + this.socket.writableLength;
  }

  #isFlushing = false;

  /** Something was put into the output: it is written, with all that is added to it meanwhile, at the end of this turn. */
  wrote(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    scheduleFlush(this);
  }

  flush(): void {
    this.#isFlushing = false;
    this.output.flush();
  }

  /** Answers whether the system has taken all that was ever sent. */
  #send(bytes: Buffer): boolean {
    const { socket } = this;
    if (!socket.writable) return true;
    // What is encrypted has not gone when `write` returns. Other sockets say so if they are full, and a callback costs.
    if ((socket as TLSSocket).encrypted) socket.write(bytes, this.#sent);
    else socket.write(bytes);
    if (socket.writableLength === 0) {
      stopTimer(this.#stall);
      return true;
    }
    if (this.#stall.slot < 0 && !this.isClosed) startTimer(this.#stall, this.limits.stallTimeoutMs);
    return false;
  }

  /** The peer has room again, or what was encrypted is gone. */
  readonly #sent = (): void => {
    stopTimer(this.#stall);
    if (this.socket.writableLength === 0) this.#drained();
    else if (!this.isClosed) startTimer(this.#stall, this.limits.stallTimeoutMs);
  };

  #stalled(): void {
    if (this.socket.writableLength > 0) this.destroy(new Error("the peer does not read what is sent to it"));
  }

  #drained(): void {
    this.output.release();
    if (this.isClosed) return;
    if (this.#isBackedUp) {
      this.#isBackedUp = false;
      this.#resumeAll();
    }
    if (this.#isPaused) {
      this.#isPaused = false;
      this.socket.resume();
    }
  }

  // ------------------------------------------------------------------------------------------------------ ends and time

  /** A stream that both sides have ended. */
  ended(stream: Stream): void {
    if (stream.isClosed) return;
    this.#floodGuard.earn(4);
    this.#remove(stream);
  }

  #remove(stream: Stream): void {
    this.streams.delete(stream.id);
    stream.close();
    if (this.role === "client") this.handler.available?.();
    if (this.isLeaving) this.#closeIfDone();
  }

  /**
   * Asks the peer to send its next calls elsewhere, and closes once those that are here are answered. A first GOAWAY that
   * lets every stream in is followed, after a round trip, by the one that counts, so that calls on their way are not lost
   * (RFC 9113, section 6.8).
   */
  drain(): void {
    if (this.#isDraining || this.isClosed) return;
    this.#isDraining = true;
    if (this.role === "client") {
      this.isLeaving = true;
      this.#closeIfDone();
      return;
    }
    this.#writeGoAway(MAX_STREAM_ID, ErrorCode.NO_ERROR, "");
    this.#writePing(DRAIN);
  }

  #goAwayForGood(): void {
    if (!this.#isDraining || this.isLeaving) return;
    this.isLeaving = true;
    this.#lastAccepted = this.#lastPeerStream;
    this.#writeGoAway(this.#lastPeerStream, ErrorCode.NO_ERROR, "");
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.streams.size === 0 && !this.isClosed) this.#close(undefined);
  }

  /** Ends the connection with a GOAWAY that says why. */
  fail(fault: ConnectionFault, cause: Error = fault): void {
    if (this.isClosed) return;
    this.#writeGoAway(this.#lastPeerStream, fault.code, fault.message);
    this.#close(cause);
  }

  /** Lets go of all streams; what is written still goes out. */
  #close(cause: Error | undefined): void {
    this.isClosed = true;
    this.isLeaving = true;
    this.#cause ??= cause;
    this.#rest = undefined;
    this.#fragments = undefined;
    for (const timer of [this.#partial, this.#silence, this.#stall]) stopTimer(timer);
    const streams = [...this.streams.values()];
    this.streams.clear();
    for (const stream of streams) {
      stream.close();
      stream.consumer.closed(ErrorCode.CANCEL, this.#cause ?? new Error("the connection was closed"));
    }
    this.flush();
    this.handler.closed?.(this.#cause);
    if (this.socket.destroyed) return;
    // Read on and forget: closing with unread bytes would reset the connection, and take the GOAWAY with it.
    this.socket.resume().end();
    const linger = new Timer(() => this.socket.destroy());
    startTimer(linger, LINGER);
    this.socket.once("close", () => stopTimer(linger));
  }

  /** Resets every stream, and ends the connection. */
  cut(): void {
    if (this.isClosed) return;
    for (const stream of this.streams.values()) this.#writeRstStream(stream.id, ErrorCode.CANCEL);
    this.#writeGoAway(this.#lastPeerStream, ErrorCode.NO_ERROR, "");
    this.#close(new Error("the connection was cut"));
  }

  /** Ends the connection at once. */
  destroy(cause?: Error): void {
    this.#cause ??= cause;
    this.socket.destroy();
    this.#lost();
  }

  #lost(): void {
    if (this.isClosed) return;
    this.#close(this.#cause ?? new Error("the connection was lost"));
  }

  /** RFC 9113, section 6.7: a peer that is gone without a word answers no PING. */
  #checkSilence(): void {
    const { pingIntervalMs, pingTimeoutMs } = this.limits;
    if (this.#heard || this.#isPaused) {
      this.#heard = false;
      this.#isPinging = false;
      startTimer(this.#silence, pingIntervalMs);
      return;
    }
    if (this.#isPinging) {
      this.destroy(Object.assign(new Error("PING timed out"), { code: "ETIMEDOUT" }));
      return;
    }
    this.#isPinging = true;
    this.#writePing(KEEP_ALIVE);
    startTimer(this.#silence, pingTimeoutMs);
  }

  #tooSlow(): void {
    this.fail(new ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a frame or a header block takes too long to arrive"));
  }
}
