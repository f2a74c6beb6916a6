import { ConnectionFault, ErrorCode, frameSizeError, protocolError } from "./errors.js";
import type { HeaderBlock } from "./field.js";
import type { FloodGuard } from "./flood-guard.js";
import type { ReceiveWindow, SendWindows } from "./flow-control.js";
import type { FrameWriter } from "./frame-writer.js";
import { Flag, readUint31, readUint32 } from "./frames.js";
import { HpackDecoder } from "./hpack-decoder.js";
import { Stream, type StreamConnection } from "./stream.js";
import type { StreamTable } from "./stream-table.js";

/** The size in bytes of an over-long header block that is read at the price of one frame. */
const HEADER_BYTES_PER_FRAME = 128;

/** The connection whose streams get frames. */
export interface StreamFramesOwner extends StreamConnection {
  /** The peer has opened a stream. */
  opened(stream: Stream, block: HeaderBlock, endStream: boolean): void;
  /** Closes a stream that is open no more. */
  remove(stream: Stream): void;
}

/**
 * Handles the frames that a peer sends on streams, and WINDOW_UPDATE of the connection as well. A fault of one stream
 * resets that stream (RFC 9113, section 5.4.2). A fault that spoils the connection is thrown as a ConnectionFault.
 */
export class StreamFrames {
  readonly #decoder: HpackDecoder;

  constructor(
    private readonly owner: StreamFramesOwner,
    private readonly streams: StreamTable,
    private readonly receiveWindow: ReceiveWindow,
    private readonly sendWindows: SendWindows,
    private readonly frames: FrameWriter,
    private readonly floodGuard: FloodGuard,
  ) {
    this.#decoder = new HpackDecoder(4096, owner.limits.maxHeaderListSize);
  }

  /** RFC 9113, section 6.1. */
  data(flags: number, id: number, source: Buffer, start: number, end: number): void {
    const length = end - start;
    const stream = this.streams.find(id, "DATA");
    this.receiveWindow.receive(length);
    if (flags & Flag.PADDED) {
      if (length === 0) throw frameSizeError("DATA");
      const padding = source[start++] as number;
      if (padding > end - start) throw protocolError("more padding than frame");
      end -= padding;
    }
    const endStream = (flags & Flag.END_STREAM) !== 0;
    if (start === end && !endStream) this.floodGuard.charge();
    if (stream === undefined) {
      this.#dataAfterEnd(id);
      return;
    }
    if (stream.isRemoteEnded) {
      this.#fault(stream, ErrorCode.STREAM_CLOSED);
      return;
    }
    if (!stream.hasHeaders) {
      this.#fault(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.#fault(stream, ErrorCode.FLOW_CONTROL_ERROR);
      return;
    }
    stream.receivedLength += end - start;
    if (
      stream.expectedLength >= 0 &&
      (endStream ? stream.receivedLength !== stream.expectedLength : stream.receivedLength > stream.expectedLength)
    ) {
      // A body of another length than announced is malformed (section 8.1.1).
      this.#fault(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (endStream) stream.isRemoteEnded = true;
    else if (length > end - start) stream.consumed(length - (end - start));
    stream.consumer.data(source, start, end, endStream);
    if (endStream && stream.isLocalEnded) this.owner.ended(stream);
  }

  /** A complete header block. It is decoded even if its stream is closed, because both sides' tables must stay the same. */
  headerBlock(id: number, endStream: boolean, source: Buffer, start: number, end: number): void {
    const block = this.#decoder.decode(source, start, end);
    if (block.isTooLarge) this.floodGuard.charge(Math.floor((end - start) / HEADER_BYTES_PER_FRAME));
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (this.owner.role === "server") this.#open(id, block, endStream);
      else this.#headersAfterEnd(id);
      return;
    }
    if (stream.isRemoteEnded) {
      this.#fault(stream, ErrorCode.STREAM_CLOSED);
      return;
    }
    // Trailers end a message (section 8.1).
    if (stream.hasHeaders && !endStream) {
      this.#fault(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (endStream) stream.isRemoteEnded = true;
    if (endStream && stream.expectedLength >= 0 && stream.receivedLength !== stream.expectedLength) {
      this.#fault(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    stream.consumer.headers(block, endStream);
    if (endStream && stream.isLocalEnded) this.owner.ended(stream);
  }

  #open(id: number, block: HeaderBlock, endStream: boolean): void {
    const { owner, streams } = this;
    if (id % 2 === 0) throw protocolError(`a client opened stream ${id}`);
    if (id <= streams.lastPeerId) {
      if (!streams.wasReset(id)) {
        throw new ConnectionFault(ErrorCode.STREAM_CLOSED, `HEADERS on stream ${id}, which is closed`);
      }
      this.floodGuard.charge();
      return;
    }
    // After the last GOAWAY new streams are ignored: their client opens them elsewhere (section 6.8).
    if (!streams.openByPeer(id)) {
      this.floodGuard.charge();
      return;
    }
    const stream = new Stream(owner, id, this.sendWindows.initial, owner.limits.streamWindow);
    stream.hasHeaders = true;
    stream.isRemoteEnded = endStream;
    streams.add(stream);
    if (streams.size > owner.limits.maxConcurrentStreams) {
      this.floodGuard.charge();
      stream.reset(ErrorCode.REFUSED_STREAM);
      return;
    }
    owner.opened(stream, block, endStream);
  }

  /** HEADERS on a client's stream that is not open: harmless if they crossed with a reset. */
  #headersAfterEnd(id: number): void {
    if (this.streams.isIdle(id)) throw protocolError(`HEADERS on stream ${id}, which is idle`);
    this.floodGuard.charge();
  }

  /** DATA on a stream that is closed: harmless if it crossed with a reset. */
  #dataAfterEnd(id: number): void {
    if (this.owner.role === "client" || this.streams.wasReset(id) || !this.streams.accepts(id)) return;
    this.floodGuard.charge();
    this.frames.rstStream(id, ErrorCode.STREAM_CLOSED);
  }

  /** RFC 9113, section 6.3: priorities are deprecated, but their frames must be well formed. */
  priority(id: number, source: Buffer, start: number, end: number): void {
    if (id === 0) throw protocolError("PRIORITY on stream 0");
    this.floodGuard.charge();
    const hasLength = end - start === 5;
    if (hasLength && readUint31(source, start) !== id) return;
    const stream = this.streams.get(id);
    if (stream !== undefined) this.#fault(stream, hasLength ? ErrorCode.PROTOCOL_ERROR : ErrorCode.FRAME_SIZE_ERROR);
    else throw hasLength ? protocolError("a stream depends on itself") : frameSizeError("PRIORITY");
  }

  /** RFC 9113, section 6.4. */
  rstStream(id: number, source: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw frameSizeError("RST_STREAM");
    const stream = this.streams.find(id, "RST_STREAM");
    // A client may make a server work for nothing by streams that it resets at once (CVE-2023-44487). Answered calls make up for it.
    if (this.owner.role === "server") this.floodGuard.charge();
    if (stream === undefined) return;
    this.owner.remove(stream);
    stream.consumer.closed(readUint32(source, start), undefined);
  }

  /** RFC 9113, section 6.9. */
  windowUpdate(id: number, source: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw frameSizeError("WINDOW_UPDATE");
    const increment = readUint31(source, start);
    this.floodGuard.charge();
    if (id === 0) {
      if (increment === 0) throw protocolError("a window is enlarged by 0");
      this.sendWindows.enlarge(increment);
      return;
    }
    const stream = this.streams.find(id, "WINDOW_UPDATE");
    if (stream === undefined) {
      if (increment === 0) this.frames.rstStream(id, ErrorCode.PROTOCOL_ERROR);
    } else if (increment === 0) this.#fault(stream, ErrorCode.PROTOCOL_ERROR);
    else if (!this.sendWindows.enlargeStream(stream, increment)) this.#fault(stream, ErrorCode.FLOW_CONTROL_ERROR);
  }

  /** Resets a stream on which the peer broke the protocol. */
  #fault(stream: Stream, code: number): void {
    this.floodGuard.charge();
    const { consumer } = stream;
    stream.reset(code);
    consumer.closed(code, undefined);
  }
}
