import { crc32 } from "node:zlib";

/** How a frame begins; no byte of a payload, which is JSON in UTF-8, is 0xff. */
const MAGIC = Buffer.from([0xff, 0x53, 0x4a, 0x31]);
const HEAD = 12;

/** What is written at once, so that it is there as a whole or not at all: magic, length, CRC-32, payload. */
export function frame(payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD);
  MAGIC.copy(head);
  head.writeUInt32LE(payload.length, 4);
  head.writeUInt32LE(crc32(payload), 8);
  return Buffer.concat([head, payload]);
}

/** The frames of a file. */
export interface Frames {
  readonly frames: readonly Frame[];
  /** Where the last one ends. What stands after it was being written when the process or the machine died. */
  readonly end: number;
  /** Whether `end` is not the end: whole frames stand behind something that neither a crash nor a torn write leaves. */
  readonly damaged: boolean;
}

export interface Frame {
  readonly payload: Buffer;
  /** A frame of which only the beginning was written, although others follow. Its payload ends where writing did. */
  readonly torn?: TornFrame;
}

/** The bytes of a torn frame: its beginning, then zeros to where it should have ended. */
export interface TornFrame {
  readonly at: number;
  readonly bytes: Buffer;
}

/** Reads the frames of a file, up to its end or to damage. */
export function readFrames(file: Buffer): Frames {
  const frames: Frame[] = [];
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

/** Where the next whole frame begins. */
function nextFrame(file: Buffer, from: number): number | undefined {
  for (let at = file.indexOf(MAGIC, from); at >= 0; at = file.indexOf(MAGIC, at + 1)) {
    if (payloadAt(file, at) !== undefined) return at;
  }
  return undefined;
}

/** What stands between two whole frames, as frames that were torn; undefined if it is anything else. */
function tornFrames(bytes: Buffer, at: number): Frame[] | undefined {
  const torn: Frame[] = [];
  for (let start = 0; start < bytes.length; ) {
    if (bytes.compare(MAGIC, 0, MAGIC.length, start, start + MAGIC.length) !== 0) return undefined;
    const stop = tornEnd(bytes, start);
    if (stop === undefined) return undefined;
    // JSON escapes a zero: the first one is where writing ended.
    const hole = bytes.indexOf(0, start + HEAD);
    const payload = bytes.subarray(start + HEAD, hole);
    if (hole < 0 || hole >= stop || bytes.subarray(hole, stop).some((byte) => byte !== 0)) return undefined;
    torn.push({ payload, torn: { at: at + start, bytes: bytes.subarray(start, stop) } });
    start = stop;
  }
  return torn;
}

/** Where a torn frame was to end: where its length says, or else, if not even that was written, at the next one. */
function tornEnd(bytes: Buffer, start: number): number | undefined {
  if (start + HEAD > bytes.length) return undefined;
  const stop = start + HEAD + bytes.readUInt32LE(start + 4);
  const next = bytes.indexOf(MAGIC, start + 1);
  const latest = next < 0 ? bytes.length : next;
  if (stop === latest) return stop;
  // Zeros from within the head on.
  return bytes.subarray(start + HEAD, latest).every((byte) => byte === 0) ? latest : undefined;
}
