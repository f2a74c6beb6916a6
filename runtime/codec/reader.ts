import type { Message } from "@bufbuild/protobuf";
import { utf8Read } from "./text.js";
import { UnknownFields } from "./unknown.js";

/** The maximum nesting of messages, the outermost included; protobuf-es has the same limit. */
const DEEPEST = 100;
/**
 * The maximum number of messages, map entries and bytes values in one untrusted message, the same as for JSON. Each can be encoded in
 * two bytes and takes at least fifty times as much memory.
 */
const MOST = 100_000;
/** Small 64-bit numbers as bigints, made once so that reading them allocates nothing. */
const SMALL = Array.from({ length: 128 }, (_, number) => BigInt(number));
/** Bytes up to this length are copied in a loop; for longer ones a call into Node is cheaper. */
const SHORT = 32;
/** The maximum length of a varint in bytes. */
const VARINT = 10;

/** Scratch memory for assembling 64-bit integers and floating-point numbers. */
const wide = new BigInt64Array(1);
const unsigned = new BigUint64Array(wide.buffer);
const words = new Int32Array(wide.buffer);
const double = new Float64Array(wide.buffer);
const float = new Float32Array(wide.buffer);
const octets = new Uint8Array(wide.buffer);

/**
 * Reads the Protobuf wire format for `_codec` files: a tag, then the value of the field with that tag. A tag that the message does not
 * have is an unknown field, including a known number with another wire type. No value may extend beyond the end of its message.
 * Values are copied, so the buffer can be reused.
 */
export class Reader {
  private readonly buffer: Uint8Array;
  /** The offset of the next byte. */
  at: number;
  private readonly limit: number;
  private depth = 0;
  private count = 0;
  /** The offset of the tag that was read last. */
  private from = 0;
  private unknowns: UnknownFields | undefined;

  /** @param most the maximum number of messages, map entries and bytes values */
  constructor(
    bytes: Uint8Array,
    start: number,
    end: number,
    private readonly most = MOST,
  ) {
    this.buffer = bytes;
    this.at = start;
    this.limit = end;
  }

  /** Starts a message. */
  enter(): void {
    if (++this.depth > DEEPEST) throw new RangeError(`messages are more than ${DEEPEST} deep in one another`);
    this.made();
  }

  /** Ends a message. */
  leave(): void {
    this.depth--;
  }

  /** Goes on with a message of which some fields have been read: it is not counted twice. */
  resume(): void {
    this.count--;
  }

  /** Returns where the fields end that begin within the next so many bytes. Reads nothing. */
  endOfFields(bytes: number): number {
    const { at } = this;
    const until = Math.min(at + bytes, this.limit);
    while (this.at < until) this.skip(this.anyTag());
    const end = this.at;
    this.at = at;
    return end;
  }

  /**
   * Reads the next field's number and wire type; returns 0 at the end of the message.
   *
   * @param end the message's end offset; for a group, its negated field number
   */
  tag(end: number): number {
    const { at } = this;
    if (at >= end) return this.endOr(end);
    const byte = this.buffer[at]!;
    // Most tags are one byte.
    if (byte < 8 || byte > 0x7f || (byte & 7) > 5) return this.anyTag();
    this.from = at;
    this.at = at + 1;
    return byte;
  }

  private endOr(end: number): number {
    if (end < 0) return this.tagOfGroup(-end);
    if (this.at > end) throw tooLong();
    return 0;
  }

  private anyTag(): number {
    const start = this.at;
    const tag = this.uint32();
    const size = this.at - start;
    if (size > 5 || (size === 5 && this.buffer[this.at - 1]! > 0x0f)) throw new RangeError("a tag is too long");
    if (tag < 8 || (tag & 7) > 5) throw new RangeError(`${tag} is no tag`);
    this.from = start;
    return tag;
  }

  private tagOfGroup(number: number): number {
    if (this.at >= this.limit) throw new RangeError("a group has no end");
    const tag = this.anyTag();
    if ((tag & 7) !== 4) return tag;
    if (tag >>> 3 !== number) throw new RangeError("a group ends as another one");
    return 0;
  }

  /** Reads the length prefix of a value, and returns the value's end offset. */
  length(): number {
    const byte = this.buffer[this.at]!;
    // Most lengths are one byte.
    if (byte < 0x80) this.at++;
    const length = byte < 0x80 ? byte : this.longLength();
    const end = this.at + length;
    // NaN past the end of the buffer.
    if (!(end <= this.limit)) throw tooShort();
    return end;
  }

  /** Reads a length of several bytes with all its bits. A number would drop the bits beyond 32, but a length must not. */
  private longLength(): number {
    const { buffer } = this;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift > 63) throw new RangeError("a length is too long");
      const byte = buffer[this.at++]!;
      // A double loses precision beyond 53 bits, but such a length is too long in any case.
      length += (byte & 0x7f) * 2 ** shift;
      if (!(byte > 0x7f)) return length;
    }
  }

  /** Returns the end offset of a map entry. */
  entry(): number {
    this.made();
    return this.length();
  }

  /** Returns whether a packed list that ends at `end` has more values. */
  more(end: number): boolean {
    if (this.at > end) throw tooLong();
    return this.at < end;
  }

  /** Counts an allocation against the limit before it is made, because a few bytes can request many. */
  private made(): void {
    if (++this.count <= this.most) return;
    throw new RangeError(`there are more than ${this.most} messages, map entries and bytes in one`);
  }

  string(): string {
    return this.text(true);
  }

  /** Reads a string without UTF-8 validation; invalid sequences become U+FFFD. */
  anyString(): string {
    return this.text(false);
  }

  private text(strict: boolean): string {
    const end = this.length();
    const start = this.at;
    this.at = end;
    return utf8Read(this.buffer, start, end, strict);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    this.made();
    const end = this.length();
    const start = this.at;
    this.at = end;
    return this.copy(start, end);
  }

  bool(): boolean {
    this.varint64();
    return words[0] !== 0 || words[1] !== 0;
  }

  /** Reads an int32 or an enum's number. */
  int32(): number {
    return this.uint32() | 0;
  }

  uint32(): number {
    const { buffer } = this;
    let { at } = this;
    let byte = buffer[at++]!;
    if (byte < 0x80 && at <= this.limit) {
      this.at = at;
      return byte;
    }
    let value = byte & 0x7f;
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift > 63) throw new RangeError("a number is too long");
      byte = buffer[at++]!;
      // Bits beyond 32 are dropped.
      if (shift < 32) value |= (byte & 0x7f) << shift;
    }
    this.at = at;
    if (at > this.limit) throw tooShort();
    return value >>> 0;
  }

  sint32(): number {
    const value = this.uint32();
    return (value >>> 1) ^ -(value & 1);
  }

  int64(): bigint {
    const byte = this.buffer[this.at]!;
    if (byte < 0x80 && this.at < this.limit) {
      this.at++;
      return SMALL[byte]!;
    }
    this.varint64();
    return wide[0]!;
  }

  uint64(): bigint {
    const byte = this.buffer[this.at]!;
    if (byte < 0x80 && this.at < this.limit) {
      this.at++;
      return SMALL[byte]!;
    }
    this.varint64();
    return unsigned[0]!;
  }

  sint64(): bigint {
    this.varint64();
    const low = words[0]!;
    const high = words[1]!;
    const sign = -(low & 1);
    words[0] = ((low >>> 1) | (high << 31)) ^ sign;
    words[1] = (high >>> 1) ^ sign;
    return wide[0]!;
  }

  fixed32(): number {
    this.fixed(4);
    return words[0]! >>> 0;
  }

  sfixed32(): number {
    this.fixed(4);
    return words[0]!;
  }

  fixed64(): bigint {
    this.fixed(8);
    return unsigned[0]!;
  }

  sfixed64(): bigint {
    this.fixed(8);
    return wide[0]!;
  }

  float(): number {
    this.fixed(4);
    return float[0]!;
  }

  double(): number {
    this.fixed(8);
    return double[0]!;
  }

  /** Keeps an unknown field, so that it is written again with the message. */
  unknown(tag: number, message: Message): void {
    const { at, from } = this;
    this.skip(tag);
    this.unknowns ??= new UnknownFields(this.buffer);
    this.unknowns.add(message, tag, from, at, this.at);
  }

  /** Keeps the number just read as an unknown field, because the closed enum does not have it. */
  unknownEnum(tag: number, message: Message): void {
    const { from } = this;
    this.at = from;
    this.anyTag();
    this.unknown(tag, message);
  }

  /** Finishes reading: assigns the remaining unknown fields to their messages. */
  finish(): void {
    this.unknowns?.finish();
  }

  /** Skips a field's value. */
  skip(tag: number, left = DEEPEST - this.depth): void {
    switch (tag & 7) {
      case 0:
        this.skipVarint();
        break;
      case 1:
        this.at += 8;
        break;
      case 2:
        this.at = this.length();
        break;
      case 3: {
        if (left <= 0) throw new RangeError(`groups are more than ${DEEPEST} deep in one another`);
        for (let inner = this.anyTag(); ; inner = this.anyTag()) {
          if ((inner & 7) !== 4) this.skip(inner, left - 1);
          else if (inner >>> 3 === tag >>> 3) break;
          else throw new RangeError("a group ends as another one");
        }
        break;
      }
      case 5:
        this.at += 4;
        break;
      default:
        throw new RangeError("a group ends that did not begin");
    }
    if (this.at > this.limit) throw tooShort();
  }

  private skipVarint(): void {
    const { buffer, at, limit } = this;
    let end = at;
    while (end < limit && buffer[end]! > 0x7f) end++;
    if (end - at >= VARINT) throw new RangeError("a number is too long");
    this.at = end + 1;
  }

  private copy(start: number, end: number): Uint8Array<ArrayBuffer> {
    const length = end - start;
    const copy = new Uint8Array(length);
    if (length > SHORT) copy.set(this.buffer.subarray(start, end));
    else for (let each = 0; each < length; each++) copy[each] = this.buffer[start + each]!;
    return copy;
  }

  private fixed(size: number): void {
    const start = this.at;
    this.at = start + size;
    if (this.at > this.limit) throw tooShort();
    for (let each = 0; each < size; each++) octets[each] = this.buffer[start + each]!;
  }

  /** Reads a varint's 64 bits into `wide`. */
  private varint64(): void {
    const { buffer } = this;
    let { at } = this;
    let byte = buffer[at++]!;
    let low = byte & 0x7f;
    let high = 0;
    for (let shift = 7; byte > 0x7f && shift < 28; shift += 7) {
      byte = buffer[at++]!;
      low |= (byte & 0x7f) << shift;
    }
    if (byte > 0x7f) {
      // The fifth byte has bits of both halves.
      byte = buffer[at++]!;
      low |= (byte & 0x7f) << 28;
      high = (byte & 0x7f) >>> 4;
      for (let shift = 3; byte > 0x7f; shift += 7) {
        if (shift > 31) throw new RangeError("a number is too long");
        byte = buffer[at++]!;
        high |= (byte & 0x7f) << shift;
      }
    }
    this.at = at;
    if (at > this.limit) throw tooShort();
    words[0] = low;
    words[1] = high;
  }
}

function tooShort(): RangeError {
  return new RangeError("the bytes end in the middle of a field");
}

function tooLong(): RangeError {
  return new RangeError("a field goes past the end of what it is in");
}
