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
  readonly payloads: readonly Buffer[];
  /** Where the last whole one ends. What stands after it was being written when the process or the machine died. */
  readonly end: number;
  /** Whether there are whole frames after that: then it was not the end, and the file is damaged. */
  readonly damaged: boolean;
}

/** Reads the frames of a file, up to the first that is not whole. */
export function readFrames(file: Buffer): Frames {
  const payloads: Buffer[] = [];
  let end = 0;
  for (let payload = payloadAt(file, 0); payload !== undefined; payload = payloadAt(file, end)) {
    payloads.push(payload);
    end += HEAD + payload.length;
  }
  return { payloads, end, damaged: hasFrame(file, end + 1) };
}

function payloadAt(file: Buffer, at: number): Buffer | undefined {
  if (file.length < at + HEAD || file.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) !== 0) return undefined;
  const length = file.readUInt32LE(at + 4);
  const payload = file.subarray(at + HEAD, at + HEAD + length);
  return payload.length === length && crc32(payload) === file.readUInt32LE(at + 8) ? payload : undefined;
}

function hasFrame(file: Buffer, from: number): boolean {
  for (let at = file.indexOf(MAGIC, from); at >= 0; at = file.indexOf(MAGIC, at + 1)) {
    if (payloadAt(file, at) !== undefined) return true;
  }
  return false;
}
