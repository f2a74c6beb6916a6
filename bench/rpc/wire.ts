import type { Socket } from "node:net";
import {
  DEFAULT_WINDOW,
  Flag,
  FRAME_HEADER,
  FrameType,
  MAX_WINDOW,
  preface,
  readUint31,
  readUint32,
  Setting,
  setFrameLength,
  writeFrameHeader,
  writeUint32,
} from "../../runtime/http2/frames.js";
import { HpackDecoder } from "../../runtime/http2/hpack-decoder.js";
import { type ConstantBlock, HpackEncoder } from "../../runtime/http2/hpack-encoder.js";
import { Output } from "../../runtime/http2/output.js";

/** How many calls may be in flight; a power of two. */
const CALLS = 16_384;
const NONE = -1;

/** What is sent for each call, and who is told of its end. */
export interface Calls {
  readonly head: ConstantBlock;
  readonly body: Uint8Array;
  /** `dueAt` is what `call` was given, `now` when the answer was read, both by `performance.now`. */
  answered(wire: Wire, dueAt: number, now: number, isWell: boolean): void;
}

/**
 * The least that a client on node:net can do for a call: sends the same bytes each time, looks at the heads of frames and at
 * statuses alone, and makes no object for it: what it costs, and where it collects garbage, is in what it measures.
 */
export class Wire {
  readonly #output = new Output((bytes) => {
    this.socket.write(bytes);
    return this.socket.writableLength === 0;
  });
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder(4096, 65_536);
  /** When the call of each stream that is open was due, by the stream's number. */
  readonly #dueAt = new Float64Array(CALLS).fill(NONE);
  #next = 1;
  #maxOpen = CALLS;
  #sendWindow = DEFAULT_WINDOW;
  #unread = 0;
  #rest: Buffer | undefined;
  #isReady = false;
  isClosed = false;
  /** How many calls are in flight. */
  open = 0;

  constructor(
    private readonly socket: Socket,
    private readonly calls: Calls,
    /** Called once calls can be made. */
    private readonly ready: () => void,
  ) {
    socket.setNoDelay();
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("close", () => this.#lost());
    this.#output.write(preface);
    this.#begin(6, FrameType.SETTINGS, 0, 0);
    this.#output.buffer[this.#output.at++] = 0;
    this.#output.buffer[this.#output.at++] = Setting.INITIAL_WINDOW_SIZE;
    // No server is to wait for its peer's windows.
    writeUint32(this.#output, MAX_WINDOW);
    this.#credit(MAX_WINDOW - DEFAULT_WINDOW);
    this.flush();
  }

  get canCall(): boolean {
    return (
      !this.isClosed &&
      this.open < this.#maxOpen &&
      this.#sendWindow >= this.calls.body.length &&
      this.#dueAt[slotOf(this.#next)] === NONE
    );
  }

  /** Begins a call, which `flush` sends. There must be room for it: see `canCall`. */
  call(dueAt: number): void {
    const { head, body } = this.calls;
    const output = this.#output;
    const id = this.#next;
    this.#next += 2;
    this.open++;
    this.#dueAt[slotOf(id)] = dueAt;
    output.reserve(2 * FRAME_HEADER + this.#encoder.room(head.fields) + body.length);
    const { at } = output;
    writeFrameHeader(output, 0, FrameType.HEADERS, Flag.END_HEADERS, id);
    this.#encoder.encodeConstant(head, output);
    setFrameLength(output.buffer, at, output.at - at - FRAME_HEADER);
    writeFrameHeader(output, body.length, FrameType.DATA, Flag.END_STREAM, id);
    output.write(body);
    this.#sendWindow -= body.length;
  }

  flush(): void {
    this.#output.flush();
  }

  destroy(): void {
    this.isClosed = true;
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    const now = performance.now();
    const source = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (!this.isClosed && source.length - at >= FRAME_HEADER) {
      const end = at + FRAME_HEADER + source.readUIntBE(at, 3);
      if (end > source.length) break;
      this.#frame(source[at + 3]!, source[at + 4]!, readUint31(source, at + 5), source, at + FRAME_HEADER, end, now);
      at = end;
    }
    this.#rest = at < source.length ? source.subarray(at) : undefined;
    if (!this.isClosed) this.flush();
  }

  #frame(type: number, flags: number, id: number, source: Buffer, start: number, end: number, now: number): void {
    switch (type) {
      case FrameType.DATA:
        this.#unread += end - start;
        if (this.#unread < MAX_WINDOW / 2) return;
        this.#credit(this.#unread);
        this.#unread = 0;
        return;
      case FrameType.HEADERS: {
        const block = this.#decoder.decode(source, start, end);
        if (flags & Flag.END_STREAM) this.#ended(id, now, block.get("grpc-status") === "0");
        return;
      }
      case FrameType.RST_STREAM:
        this.#ended(id, now, false);
        return;
      case FrameType.SETTINGS:
        if (!(flags & Flag.ACK)) this.#settings(source, start, end);
        return;
      case FrameType.PING:
        if (flags & Flag.ACK) return;
        this.#begin(8, FrameType.PING, Flag.ACK, 0);
        this.#output.write(source.subarray(start, end));
        return;
      case FrameType.WINDOW_UPDATE:
        if (id === 0) this.#sendWindow += readUint31(source, start);
        return;
      case FrameType.CONTINUATION:
        throw new Error("a server sends more headers than this client reads");
    }
  }

  #settings(source: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 6) {
      const value = readUint32(source, at + 2);
      if (source[at + 1] === Setting.MAX_CONCURRENT_STREAMS) this.#maxOpen = Math.min(CALLS, value);
      else if (source[at + 1] === Setting.HEADER_TABLE_SIZE) this.#encoder.setMaxTableSize(value);
    }
    this.#begin(0, FrameType.SETTINGS, Flag.ACK, 0);
    if (this.#isReady) return;
    this.#isReady = true;
    this.ready();
  }

  #credit(bytes: number): void {
    this.#begin(4, FrameType.WINDOW_UPDATE, 0, 0);
    writeUint32(this.#output, bytes);
  }

  /** A frame's header, and room for its payload. */
  #begin(length: number, type: number, flags: number, id: number): void {
    this.#output.reserve(FRAME_HEADER + length);
    writeFrameHeader(this.#output, length, type, flags, id);
  }

  #ended(id: number, now: number, isWell: boolean): void {
    const slot = slotOf(id);
    const dueAt = this.#dueAt[slot]!;
    // An answer that was complete before its request was read may be followed by a reset.
    if (dueAt === NONE) return;
    this.#dueAt[slot] = NONE;
    this.open--;
    this.calls.answered(this, dueAt, now, isWell);
  }

  #lost(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const now = performance.now();
    for (let id = 1; id < 2 * CALLS; id += 2) this.#ended(id, now, false);
  }
}

function slotOf(id: number): number {
  return (id >> 1) & (CALLS - 1);
}
