import type { BufferedSocket } from "./buffered-socket.js";
import {
  Flag,
  FRAME_HEADER,
  FRAME_SIZE,
  FrameType,
  preface,
  setFrameLength,
  writeFrameHeader,
  writeUint32,
} from "./frames.js";
import { ConstantBlock, type FieldList, HpackEncoder } from "./hpack-encoder.js";
import type { Output } from "./output.js";

/** Writes frames into the buffer of a connection's socket (RFC 9113, section 6). */
export class FrameWriter {
  readonly #encoder = new HpackEncoder();
  readonly #output: Output;

  constructor(private readonly socket: BufferedSocket) {
    this.#output = socket.output;
  }

  /** Adopts the peer's SETTINGS_HEADER_TABLE_SIZE. */
  setMaxTableSize(size: number): void {
    this.#encoder.setMaxTableSize(size);
  }

  preface(): void {
    this.#output.write(preface);
    this.socket.flushLater();
  }

  settings(settings: readonly (readonly [name: number, value: number])[]): void {
    const output = this.#output;
    output.reserve(FRAME_HEADER + settings.length * 6);
    writeFrameHeader(output, settings.length * 6, FrameType.SETTINGS, 0, 0);
    for (const [name, value] of settings) {
      output.buffer[output.at++] = 0;
      output.buffer[output.at++] = name;
      writeUint32(output, value);
    }
    this.socket.flushLater();
  }

  settingsAck(): void {
    this.#output.reserve(FRAME_HEADER);
    writeFrameHeader(this.#output, 0, FrameType.SETTINGS, Flag.ACK, 0);
    this.socket.flushLater();
  }

  headers(id: number, fields: FieldList | ConstantBlock, endStream: boolean): void {
    const output = this.#output;
    const list = fields instanceof ConstantBlock ? fields.fields : fields;
    output.reserve(FRAME_HEADER + this.#encoder.room(list));
    const { buffer, at } = output;
    const flags = endStream ? Flag.END_HEADERS | Flag.END_STREAM : Flag.END_HEADERS;
    writeFrameHeader(output, 0, FrameType.HEADERS, flags, id);
    if (fields instanceof ConstantBlock) this.#encoder.encodeConstant(fields, output);
    else this.#encoder.encode(fields, output);
    const length = output.at - at - FRAME_HEADER;
    if (length <= FRAME_SIZE) setFrameLength(buffer, at, length);
    else this.#splitHeaders(id, at, length, endStream);
    this.socket.flushLater();
  }

  /** Writes the header block that stands behind `at` once more, as HEADERS and CONTINUATION. */
  #splitHeaders(id: number, at: number, length: number, endStream: boolean): void {
    const output = this.#output;
    const block = Buffer.from(output.buffer.subarray(at + FRAME_HEADER, at + FRAME_HEADER + length));
    output.at = at;
    for (let from = 0; from < length; from += FRAME_SIZE) {
      const part = block.subarray(from, from + FRAME_SIZE);
      output.reserve(FRAME_HEADER + part.length);
      const isLast = from + FRAME_SIZE >= length;
      const type = from === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      const flags = (isLast ? Flag.END_HEADERS : 0) | (from === 0 && endStream ? Flag.END_STREAM : 0);
      writeFrameHeader(output, part.length, type, flags, id);
      output.write(part);
    }
  }

  /** Writes `length` of `bytes` from `at` on, no more than FRAME_SIZE. */
  data(id: number, bytes: Uint8Array, at: number, length: number, endStream: boolean): void {
    const output = this.#output;
    output.reserve(FRAME_HEADER + length);
    writeFrameHeader(output, length, FrameType.DATA, endStream ? Flag.END_STREAM : 0, id);
    if (length === bytes.length) output.buffer.set(bytes, output.at);
    else if (length > 0) output.buffer.set(bytes.subarray(at, at + length), output.at);
    output.at += length;
    this.socket.flushLater();
  }

  /** Writes an empty DATA frame with END_STREAM. */
  endStream(id: number): void {
    this.#output.reserve(FRAME_HEADER);
    writeFrameHeader(this.#output, 0, FrameType.DATA, Flag.END_STREAM, id);
    this.socket.flushLater();
  }

  rstStream(id: number, code: number): void {
    this.#output.reserve(FRAME_HEADER + 4);
    writeFrameHeader(this.#output, 4, FrameType.RST_STREAM, 0, id);
    writeUint32(this.#output, code);
    this.socket.flushLater();
  }

  /** Writes WINDOW_UPDATE; stream 0 is the connection. */
  windowUpdate(id: number, increment: number): void {
    this.#output.reserve(FRAME_HEADER + 4);
    writeFrameHeader(this.#output, 4, FrameType.WINDOW_UPDATE, 0, id);
    writeUint32(this.#output, increment);
    this.socket.flushLater();
  }

  /** Writes PING; the acknowledgement brings `purpose` back in its last four bytes. */
  ping(purpose: number): void {
    this.#output.reserve(FRAME_HEADER + 8);
    writeFrameHeader(this.#output, 8, FrameType.PING, 0, 0);
    writeUint32(this.#output, 0);
    writeUint32(this.#output, purpose);
    this.socket.flushLater();
  }

  pingAck(payload: Uint8Array): void {
    this.#output.reserve(FRAME_HEADER + payload.length);
    writeFrameHeader(this.#output, payload.length, FrameType.PING, Flag.ACK, 0);
    this.#output.write(payload);
    this.socket.flushLater();
  }

  goAway(lastStream: number, code: number, message: string): void {
    const debug = Buffer.from(message);
    this.#output.reserve(FRAME_HEADER + 8 + debug.length);
    writeFrameHeader(this.#output, 8 + debug.length, FrameType.GOAWAY, 0, 0);
    writeUint32(this.#output, lastStream);
    writeUint32(this.#output, code);
    this.#output.write(debug);
    this.socket.flushLater();
  }
}
