import type { Socket } from "node:net";
import { Backlog } from "./backlog.js";
import { BufferedSocket } from "./buffered-socket.js";
import { ConnectionFault, ErrorCode, errorName, frameSizeError, protocolError } from "./errors.js";
import type { HeaderBlock } from "./field.js";
import { FloodGuard } from "./flood-guard.js";
import { ReceiveWindow, SendWindows } from "./flow-control.js";
import { flushWaiting } from "./flush.js";
import { FrameReader, type FrameReaderOwner } from "./frame-reader.js";
import { FrameWriter } from "./frame-writer.js";
import { MAX_STREAM_ID, readUint31, readUint32 } from "./frames.js";
import type { ConstantBlock, FieldList } from "./hpack-encoder.js";
import { KeepAlive } from "./keep-alive.js";
import type { Limits } from "./limits.js";
import { ResetPace } from "./reset-pace.js";
import { ownSettings, PeerSettings } from "./settings.js";
import { Stream } from "./stream.js";
import { StreamFrames, type StreamFramesOwner } from "./stream-frames.js";
import { StreamTable } from "./stream-table.js";
import { startTimer, stopTimer, Timer } from "./timers.js";

/** Handles what servers and clients handle differently. */
export interface ConnectionHandler {
  /** The peer has opened a stream, whose consumer is to be set now. Called on servers only. */
  opened(stream: Stream, block: HeaderBlock, endStream: boolean): void;
  /** All frames that have arrived until now have been handled. */
  received?(): void;
  /** There may be room for more streams of this side: one has closed, or the peer has sent settings. */
  available?(): void;
  /** The peer has sent GOAWAY: it takes no new streams, and has not handled those above `lastStream`. */
  leaving?(lastStream: number): void;
  /** The connection has closed. */
  closed?(cause: Error | undefined): void;
}

/** The time that a closed connection's socket has to send its last frames, in milliseconds. */
const LINGER = 1_000;

/**
 * One HTTP/2 connection of a server or a client (RFC 9113): the parts that handle frames, streams, windows, settings and
 * PING, and the end of the connection. It knows nothing of what messages mean.
 *
 * Limits bound what a peer can make it keep or do. A peer that goes beyond them, or breaks the protocol, gets the error
 * code that RFC 9113 names: in RST_STREAM if one stream is at fault, else in GOAWAY.
 */
export class Connection implements FrameReaderOwner, StreamFramesOwner {
  readonly streams: StreamTable;
  /** The queued data of a server's streams. */
  readonly backlog: Backlog;
  readonly resetPace = new ResetPace();
  /** "leaving": one side has said that there are no more streams. */
  #state: "open" | "leaving" | "closed" = "open";
  #isDraining = false;
  #cause: Error | undefined;
  readonly #floodGuard = new FloodGuard();
  readonly #buffered: BufferedSocket;
  readonly #frames: FrameWriter;
  readonly #sendWindows: SendWindows;
  readonly #settings: PeerSettings;
  readonly #keepAlive: KeepAlive;
  readonly #reader: FrameReader;

  constructor(
    readonly socket: Socket,
    readonly role: "server" | "client",
    readonly limits: Limits,
    readonly handler: ConnectionHandler,
  ) {
    const guard = this.#floodGuard;
    const buffered = new BufferedSocket(socket, limits.stallTimeoutMs, {
      writable: () => this.#sendWindows.resumeAll(),
      stalled: (cause) => this.destroy(cause),
    });
    const frames = new FrameWriter(buffered);
    const receiveWindow = new ReceiveWindow(limits.connectionWindow, frames);
    this.backlog = new Backlog(limits, () => this.#dropQueued());
    this.streams = new StreamTable(role);
    this.#buffered = buffered;
    this.#frames = frames;
    this.#sendWindows = new SendWindows(this.streams, buffered, frames, guard);
    this.#settings = new PeerSettings(role, this.#sendWindows, frames, guard, () => handler.available?.());
    this.#keepAlive = new KeepAlive(limits, buffered, frames, guard, (cause) => this.destroy(cause));
    const streamFrames = new StreamFrames(this, this.streams, receiveWindow, this.#sendWindows, frames, guard);
    this.#reader = new FrameReader(this, streamFrames, this.#settings, this.#keepAlive, guard);
    this.#listen();
    if (role === "client") frames.preface();
    frames.settings(ownSettings(role, limits));
    receiveWindow.open();
    this.#reader.start();
    this.#keepAlive.start();
  }

  #listen(): void {
    const { socket } = this;
    socket.setNoDelay(true);
    // A peer that has closed its half can do nothing any more.
    socket.allowHalfOpen = false;
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    socket.on("error", (error) => {
      this.#cause ??= error;
    });
    socket.on("close", () => this.#lost());
    socket.on("end", () => this.destroy(this.#cause));
  }

  /** Handles bytes from the socket. */
  receive(chunk: Buffer): void {
    flushWaiting();
    if (this.isClosed) return;
    this.#keepAlive.heard();
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (error instanceof ConnectionFault) this.fail(error);
      else this.fail(new ConnectionFault(ErrorCode.INTERNAL_ERROR, String(error)), error as Error);
      return;
    }
    if (this.isClosed) return;
    this.handler.received?.();
    this.#buffered.pauseIfFull();
  }

  // ------------------------------------------------------------------------------------------------------------ streams

  /** Whether this side can open a stream now. */
  get canOpen(): boolean {
    return this.#state === "open" && this.streams.size < this.#settings.maxConcurrentStreams && !this.isUsedUp;
  }

  /** Whether the next stream needs another connection: every id has been used, or too many resets wait for their turn. */
  get isUsedUp(): boolean {
    return this.streams.isUsedUp || this.resetPace.isBehind;
  }

  /** Opens a stream of this side. `canOpen` must hold. */
  open(): Stream {
    const stream = new Stream(this, this.streams.takeId(), this.#sendWindows.initial, this.limits.streamWindow);
    this.streams.add(stream);
    return stream;
  }

  opened(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    this.handler.opened(stream, block, endStream);
  }

  room(stream: Stream): number {
    return this.#sendWindows.room(stream);
  }

  writeHeaders(stream: Stream, fields: FieldList | ConstantBlock, endStream: boolean): void {
    this.#frames.headers(stream.id, fields, endStream);
  }

  writeData(stream: Stream, bytes: Uint8Array, at: number, endStream: boolean): number {
    return this.#sendWindows.send(stream, bytes, at, endStream);
  }

  writeEnd(stream: Stream): void {
    this.#frames.endStream(stream.id);
  }

  writeWindowUpdate(stream: Stream, increment: number): void {
    this.#frames.windowUpdate(stream.id, increment);
  }

  queued(stream: Stream, bytes: number): void {
    if (this.role === "server") this.backlog.add(bytes);
    this.#sendWindows.place(stream);
  }

  dequeued(stream: Stream, bytes: number): void {
    if (this.role === "server" && bytes > 0) this.backlog.remove(bytes);
    this.#sendWindows.place(stream);
  }

  reset(stream: Stream, code: number): void {
    this.#frames.rstStream(stream.id, code);
    this.streams.rememberReset(stream.id);
    this.remove(stream);
  }

  refuse(stream: Stream, code: number): void {
    this.reset(stream, code);
    if (this.#floodGuard.spend(1)) return;
    this.fail(new ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many streams that lead to nothing"));
  }

  ended(stream: Stream): void {
    if (stream.isClosed) return;
    this.#floodGuard.earn(4);
    this.remove(stream);
  }

  remove(stream: Stream): void {
    this.streams.delete(stream);
    stream.close();
    if (this.role === "client") this.handler.available?.();
    if (this.isLeaving) this.#closeIfDone();
  }

  /** Drops the streams whose responses the peer does not read. */
  #dropQueued(): void {
    for (const stream of [...this.streams.values()]) if (stream.queued > 0) stream.drop();
  }

  // --------------------------------------------------------------------------------------------------------- its end

  /** Whether the peer's first SETTINGS have arrived. */
  get isReady(): boolean {
    return this.#settings.isReceived;
  }

  /** Whether there are no new streams: one side has said so, or the connection has closed. */
  get isLeaving(): boolean {
    return this.#state !== "open";
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /**
   * Asks the peer to open its next streams elsewhere, and closes when those that are open have ended. A server sends two
   * GOAWAY frames (RFC 9113, section 6.8): the first still accepts every stream, and the second, a round trip later, names
   * the last one, so that calls on their way are not lost.
   */
  drain(): void {
    if (this.#isDraining || this.isClosed) return;
    this.#isDraining = true;
    if (this.role === "client") {
      this.#leave();
      return;
    }
    this.#frames.goAway(MAX_STREAM_ID, ErrorCode.NO_ERROR, "");
    this.#keepAlive.roundTrip(() => this.#acceptNoMore());
  }

  #acceptNoMore(): void {
    if (this.isLeaving) return;
    this.streams.acceptNoMore();
    this.#frames.goAway(this.streams.lastPeerId, ErrorCode.NO_ERROR, "");
    this.#leave();
  }

  /** RFC 9113, section 6.8. */
  goAway(id: number, source: Buffer, start: number, end: number): void {
    if (id !== 0) throw protocolError("GOAWAY on a stream");
    if (end - start < 8) throw frameSizeError("GOAWAY");
    this.#floodGuard.charge();
    if (this.role === "client") this.#peerLeaves(readUint31(source, start), readUint32(source, start + 4));
    // A client that leaves still gets the responses to its calls.
    this.#leave();
  }

  #peerLeaves(lastStream: number, code: number): void {
    this.#state = "leaving";
    this.handler.leaving?.(lastStream);
    for (const stream of [...this.streams.values()]) {
      if (stream.id <= lastStream) continue;
      this.remove(stream);
      stream.consumer.closed(ErrorCode.REFUSED_STREAM, undefined);
    }
    if (code !== ErrorCode.NO_ERROR) this.#cause ??= new Error(`the peer closed the connection: ${errorName(code)}`);
  }

  /** Takes no new streams, and closes when the last one has ended. */
  #leave(): void {
    if (this.isClosed) return;
    this.#state = "leaving";
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.streams.size === 0 && !this.isClosed) this.#close(undefined);
  }

  /** Closes the connection with a GOAWAY that says why. */
  fail(fault: ConnectionFault, cause: Error = fault): void {
    if (this.isClosed) return;
    this.#frames.goAway(this.streams.lastPeerId, fault.code, fault.message);
    this.#close(cause);
  }

  /** Resets every stream and closes the connection. */
  cut(): void {
    if (this.isClosed) return;
    for (const { id } of this.streams.values()) this.#frames.rstStream(id, ErrorCode.CANCEL);
    this.#frames.goAway(this.streams.lastPeerId, ErrorCode.NO_ERROR, "");
    this.#close(new Error("the connection was cut"));
  }

  /** Closes the connection at once, without a word. */
  destroy(cause?: Error): void {
    this.#cause ??= cause;
    this.socket.destroy();
    this.#lost();
  }

  #lost(): void {
    if (this.isClosed) return;
    this.#close(this.#cause ?? new Error("the connection was lost"));
  }

  /** Closes all streams. What is written still leaves. */
  #close(cause: Error | undefined): void {
    this.#state = "closed";
    this.#cause ??= cause;
    this.#reader.close();
    this.#keepAlive.stop();
    this.#buffered.close();
    const streams = [...this.streams.values()];
    this.streams.clear();
    for (const stream of streams) {
      stream.close();
      stream.consumer.closed(ErrorCode.CANCEL, this.#cause ?? new Error("the connection was closed"));
    }
    this.#buffered.flush();
    this.handler.closed?.(this.#cause);
    if (this.socket.destroyed) return;
    // Read on and drop what comes: closing a socket with unread bytes resets it, and the GOAWAY is lost.
    this.socket.resume().end();
    const linger = new Timer(() => this.socket.destroy());
    startTimer(linger, LINGER);
    this.socket.once("close", () => stopTimer(linger));
  }
}
