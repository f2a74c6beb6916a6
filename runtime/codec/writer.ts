import type { UnknownField } from "@bufbuild/protobuf";
import { EncodeError } from "./encode-error.js";
import { LoneSurrogateError } from "./lone-surrogate.js";
import { utf8Write } from "./text.js";

/** Strings up to this length are encoded in a loop; for longer ones a call into Node is cheaper. */
const SHORT = 48;
/** Strings longer than this are measured before they are written, instead of reserving their maximum size. */
const LONG = 4096;
/** The maximum length of a tag or a varint in bytes. */
const VARINT = 10;

const FLOAT32_MAX = 3.4028234663852886e38;

/** Scratch memory for splitting 64-bit integers and floating-point numbers into bytes. */
const wide = new BigInt64Array(1);
const words = new Int32Array(wide.buffer);
const double = new Float64Array(wide.buffer);
const float = new Float32Array(wide.buffer);
const octets = new Uint8Array(wide.buffer);

/**
 * Writes the Protobuf wire format into one growing buffer, for `_codec` files: a tag, then its value. Values are validated as
 * protobuf-es does: one that its field's type cannot hold is refused.
 *
 * A writer's owner may put bytes of its own between messages: `reserve` room, set the bytes, and advance `at`.
 */
export class Writer {
  /** The buffer, written up to `at`. A full buffer is replaced by a longer one: look it up after each write. */
  buffer: Buffer;
  /** The offset of the next byte. */
  at = 0;

  /** @param size the initial size of the buffer in bytes */
  constructor(size = 1024) {
    this.buffer = Buffer.allocUnsafeSlow(size);
  }

  /** Reserves room for `size` more bytes. */
  reserve(size: number): void {
    if (this.at + size > this.buffer.length) this.grow(this.at + size);
  }

  private grow(size: number): void {
    const longer = Buffer.allocUnsafeSlow(Math.max(size, this.buffer.length * 2));
    this.buffer.copy(longer, 0, 0, this.at);
    this.buffer = longer;
  }

  /** Starts a field. */
  tag(number: number, wireType: number): this {
    this.reserve(VARINT);
    if (number < 16) this.buffer[this.at++] = (number << 3) | wireType;
    else this.varint(((number << 3) | wireType) >>> 0);
    return this;
  }

  /**
   * Starts a length-prefixed value, and returns what `close` needs. It reserves one byte for the length, which is usually enough.
   *
   * @param message the value, if it must be an object
   */
  open(number: number, message: unknown = this): number {
    if (typeof message !== "object" || message === null) throw refused("message", message);
    this.tag(number, 2);
    return ++this.at;
  }

  /** Ends what `open` started. If the length takes more than one byte, the value is moved. */
  close(start: number): void {
    const length = this.at - start;
    if (length < 0x80) {
      this.buffer[start - 1] = length;
      return;
    }
    const more = sizeOf(length) - 1;
    this.reserve(more);
    this.buffer.copyWithin(start + more, start, this.at);
    this.at = start - 1;
    this.varint(length);
    this.at += length;
  }

  string(value: string): void {
    if (typeof value !== "string") throw refused("string", value);
    const { length } = value;
    // A UTF-16 unit takes three bytes at most: a surrogate pair is two units, and takes four.
    this.reserve((length < LONG ? length * 3 : Buffer.byteLength(value)) + VARINT);
    if (length <= SHORT) {
      const { buffer } = this;
      const start = this.at + 1;
      let each = 0;
      for (let code = 0; each < length; each++) {
        code = value.charCodeAt(each);
        if (code > 0x7f) break;
        buffer[start + each] = code;
      }
      if (each === length) {
        buffer[this.at] = length;
        this.at = start + length;
        return;
      }
    }
    const expected = sizeOf(length);
    const start = this.at + expected;
    const size = utf8Write(this.buffer, value, start);
    if (size !== length && !value.isWellFormed()) throw new LoneSurrogateError();
    const needed = sizeOf(size);
    if (needed !== expected) this.buffer.copyWithin(this.at + needed, start, start + size);
    this.varint(size);
    this.at += size;
  }

  bytes(value: Uint8Array | readonly number[]): void {
    const bytes = Array.isArray(value) ? Uint8Array.from(value) : value;
    if (!(bytes instanceof Uint8Array)) throw refused("bytes", value);
    this.reserve(bytes.length + VARINT);
    this.varint(bytes.length);
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
  }

  bool(value: boolean): void {
    this.reserve(1);
    this.buffer[this.at++] = value ? 1 : 0;
  }

  /** Writes an int32 or an enum's number: a negative one takes ten bytes. */
  int32(value: number): void {
    const number = (value | 0) === value ? value : int32(value);
    this.reserve(VARINT);
    if (number >= 0) this.varint(number);
    else this.varint64(number, -1);
  }

  uint32(value: number): void {
    const number = value >>> 0 === value ? value : uint32(value);
    this.reserve(VARINT);
    this.varint(number);
  }

  sint32(value: number): void {
    const number = (value | 0) === value ? value : int32(value);
    this.reserve(VARINT);
    this.varint(((number << 1) ^ (number >> 31)) >>> 0);
  }

  int64(value: bigint | string | number): void {
    signed(value);
    this.reserve(VARINT);
    this.varint64(words[0]!, words[1]!);
  }

  uint64(value: bigint | string | number): void {
    unsigned(value);
    this.reserve(VARINT);
    this.varint64(words[0]!, words[1]!);
  }

  sint64(value: bigint | string | number): void {
    signed(value);
    this.reserve(VARINT);
    const low = words[0]!;
    const high = words[1]!;
    const sign = high >> 31;
    this.varint64((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
  }

  fixed32(value: number): void {
    words[0] = value >>> 0 === value ? value : uint32(value);
    this.four();
  }

  sfixed32(value: number): void {
    words[0] = (value | 0) === value ? value : int32(value);
    this.four();
  }

  fixed64(value: bigint | string | number): void {
    unsigned(value);
    this.eight();
  }

  sfixed64(value: bigint | string | number): void {
    signed(value);
    this.eight();
  }

  float(value: number): void {
    float[0] = typeof value === "number" && Math.abs(value) <= FLOAT32_MAX ? value : float32(value);
    this.four();
  }

  double(value: number): void {
    double[0] = value;
    this.eight();
  }

  /** Writes a message's unknown fields as they were read. */
  unknown(message: { $typeName?: string; $unknown?: readonly UnknownField[] | undefined }, typeName: string): void {
    // An init object may be another message, whose unknown fields `create` would not copy.
    if (message.$typeName !== typeName) return;
    for (const { no, wireType, data } of message.$unknown ?? []) this.tag(no, wireType).raw(data);
  }

  /** Throws if a required field is not set. */
  missing(field: string): never {
    throw new EncodeError(`${field} is required, and not set`);
  }

  /** Appends raw bytes. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
  }

  private varint(value: number): void {
    const { buffer } = this;
    let { at } = this;
    let rest = value;
    while (rest > 0x7f) {
      buffer[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[at++] = rest;
    this.at = at;
  }

  private varint64(low: number, high: number): void {
    const { buffer } = this;
    let { at } = this;
    let lower = low >>> 0;
    let upper = high >>> 0;
    while (upper > 0) {
      buffer[at++] = (lower & 0x7f) | 0x80;
      lower = ((lower >>> 7) | (upper << 25)) >>> 0;
      upper >>>= 7;
    }
    while (lower > 0x7f) {
      buffer[at++] = (lower & 0x7f) | 0x80;
      lower >>>= 7;
    }
    buffer[at++] = lower;
    this.at = at;
  }

  private four(): void {
    this.reserve(4);
    const { buffer, at } = this;
    for (let each = 0; each < 4; each++) buffer[at + each] = octets[each]!;
    this.at = at + 4;
  }

  private eight(): void {
    this.reserve(8);
    const { buffer, at } = this;
    for (let each = 0; each < 8; each++) buffer[at + each] = octets[each]!;
    this.at = at + 8;
  }
}

/** Returns the number of bytes that a length takes. */
function sizeOf(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5;
}

function signed(value: bigint | string | number): void {
  const integer = typeof value === "bigint" ? value : BigInt(value);
  wide[0] = integer;
  if (BigInt.asIntN(64, integer) !== integer) throw refused("64-bit integer", value);
}

function unsigned(value: bigint | string | number): void {
  const integer = typeof value === "bigint" ? value : BigInt(value);
  wide[0] = integer;
  if (BigInt.asUintN(64, integer) !== integer) throw refused("unsigned 64-bit integer", value);
}

/** Accepts a number as a string, too, as protobuf-es does. */
function int32(value: unknown): number {
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number !== "number" || (number | 0) !== number) throw refused("32-bit integer", value);
  return number;
}

function uint32(value: unknown): number {
  const number = typeof value === "string" ? Number(value) : value;
  // `===` holds for -0, too.
  if (typeof number !== "number" || number >>> 0 !== number) throw refused("unsigned 32-bit integer", value);
  return number;
}

function float32(value: unknown): number {
  const number = typeof value === "string" ? Number(value) : value;
  const fits = typeof number === "number" && (Number.isFinite(number) ? Math.abs(number) <= FLOAT32_MAX : true);
  if (!fits || (Number.isNaN(number) && typeof value === "string" && value !== "NaN")) throw refused("float", value);
  return number;
}

function refused(type: string, value: unknown): EncodeError {
  const shown = typeof value === "bigint" || typeof value === "number" ? String(value) : `${typeof value} value`;
  return new EncodeError(`${shown} is no ${type}`);
}
