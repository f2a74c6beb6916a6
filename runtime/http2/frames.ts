import type { Output } from "./output.js";

/** Frame types (RFC 9113, section 6). */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

export const Flag = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

/** Settings (RFC 9113, section 6.5.2). */
export const Setting = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

/** The first bytes that a client sends (RFC 9113, section 3.4). */
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** The length of a frame's header. */
export const FRAME_HEADER = 9;
/** The payload size that every endpoint accepts. Longer frames are neither sent nor accepted. */
export const FRAME_SIZE = 16_384;
export const DEFAULT_WINDOW = 65_535;
export const MAX_WINDOW = 2 ** 31 - 1;
export const MAX_STREAM_ID = 2 ** 31 - 1;

/** Writes a frame's header, for which room must be reserved. */
export function writeFrameHeader(output: Output, length: number, type: number, flags: number, stream: number): void {
  const { buffer, at } = output;
  buffer[at] = length >>> 16;
  buffer[at + 1] = length >>> 8;
  buffer[at + 2] = length;
  buffer[at + 3] = type;
  buffer[at + 4] = flags;
  buffer[at + 5] = stream >>> 24;
  buffer[at + 6] = stream >>> 16;
  buffer[at + 7] = stream >>> 8;
  buffer[at + 8] = stream;
  output.at = at + FRAME_HEADER;
}

/** Sets the length of a frame whose header is at `at`, once its payload is written. */
export function setFrameLength(buffer: Uint8Array, at: number, length: number): void {
  buffer[at] = length >>> 16;
  buffer[at + 1] = length >>> 8;
  buffer[at + 2] = length;
}

export function writeUint32(output: Output, value: number): void {
  const { buffer, at } = output;
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
  output.at = at + 4;
}

export function readUint32(source: Uint8Array, at: number): number {
  return (
    (((source[at] as number) << 24) |
      ((source[at + 1] as number) << 16) |
      ((source[at + 2] as number) << 8) |
      (source[at + 3] as number)) >>>
    0
  );
}

/** Reads a stream id or a window: 31 bits after a reserved one. */
export function readUint31(source: Uint8Array, at: number): number {
  return readUint32(source, at) & 0x7fffffff;
}
