import { crc32 } from "node:zlib";

/** The magic byte of a frame. Payloads are JSON in UTF-8, which never contains 0xff. */
const MAGIC = Buffer.from([0xff, 0x53, 0x4a, 0x31]);
const HEAD = 12;

/** Encodes a frame, which is on the disk as a whole or not at all: magic, length, CRC-32, payload. */
export function frame(payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD);
  MAGIC.copy(head);
  head.writeUInt32LE(payload.length, 4);
  head.writeUInt32LE(crc32(payload), 8);
  return Buffer.concat([head, payload]);
}

/** The frames of a file. */
export interface Frames {
  readonly frames: readonly JournalFrame[];
  /** The end of the last whole frame. The bytes after it were being written when the process or the machine crashed. */
  readonly end: number;
  /** Whether whole frames follow after damage that neither a crash nor a torn write leaves. */
  readonly damaged: boolean;
}

export interface JournalFrame {
  readonly payload: Buffer;
  /** A frame of which only the beginning was written, although others follow. Its payload ends where the write stopped. */
  readonly torn?: TornFrame;
}

/** The bytes of a torn frame: its beginning, then zeros up to its end. */
export interface TornFrame {
  readonly at: number;
  readonly bytes: Buffer;
}

/** Reads the frames of a file, up to its end or to damage. */
export function readFrames(file: Buffer): Frames {
  const frames: JournalFrame[] = [];
  for (let end = 0; ; ) {
    const payload = payloadAt(file, end);
    if (payload !== undefined) {
      frames.push({ payload });
      end += HEAD + payload.length;
      continue;
    }
    const next = nextFrame(file, end + 1);
    if (next === undefined) return { frames, end, damaged: false };
    const torn = tornFrames(file.subarray(end, next), end);
    if (torn === undefined) return { frames, end, damaged: true };
    frames.push(...torn);
    end = next;
  }
}

function payloadAt(file: Buffer, at: number): Buffer | undefined {
  if (file.length < at + HEAD || file.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) !== 0) return undefined;
  const length = file.readUInt32LE(at + 4);
  const payload = file.subarray(at + HEAD, at + HEAD + length);
  return payload.length === length && crc32(payload) === file.readUInt32LE(at + 8) ? payload : undefined;
}

/** Returns the offset of the next whole frame. */
function nextFrame(file: Buffer, from: number): number | undefined {
  for (let at = file.indexOf(MAGIC, from); at >= 0; at = file.indexOf(MAGIC, at + 1)) {
    if (payloadAt(file, at) !== undefined) return at;
  }
  return undefined;
}

/** Returns the bytes between two whole frames as torn frames, or undefined if they are anything else. */
function tornFrames(bytes: Buffer, at: number): JournalFrame[] | undefined {
  const torn: JournalFrame[] = [];
  for (let start = 0; start < bytes.length; ) {
    if (bytes.compare(MAGIC, 0, MAGIC.length, start, start + MAGIC.length) !== 0) return undefined;
    const stop = tornEnd(bytes, start);
    if (stop === undefined) return undefined;
    // JSON escapes NUL: the first zero is where the write stopped.
    const hole = bytes.indexOf(0, start + HEAD);
    const payload = bytes.subarray(start + HEAD, hole);
    if (hole < 0 || hole >= stop || bytes.subarray(hole, stop).some((byte) => byte !== 0)) return undefined;
    torn.push({ payload, torn: { at: at + start, bytes: bytes.subarray(start, stop) } });
    start = stop;
  }
  return torn;
}

/** Returns the end of a torn frame: by its length, or, if that was not written, at the next frame. */
function tornEnd(bytes: Buffer, start: number): number | undefined {
  if (start + HEAD > bytes.length) return undefined;
  const stop = start + HEAD + bytes.readUInt32LE(start + 4);
  const next = bytes.indexOf(MAGIC, start + 1);
  const latest = next < 0 ? bytes.length : next;
  if (stop === latest) return stop;
  // The zeros begin within the header.
  return bytes.subarray(start + HEAD, latest).every((byte) => byte === 0) ? latest : undefined;
}
