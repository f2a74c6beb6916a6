import { encodeHuffman, huffmanLength } from "./huffman.js";
import type { Output } from "./output.js";
import { staticTable } from "./static-table.js";

/** The fields of a header block, names and values in turns: names in lower case, pseudo-header fields first. */
export type FieldList = readonly string[];

/** A header block that is sent again and again. Encoders keep its bytes until their table changes. */
export class ConstantBlock {
  constructor(readonly fields: FieldList) {}
}

const staticNames = new Map<string, number>();
const staticPairs = new Map<string, number>();
for (const [index, [name, value]] of staticTable.entries()) {
  if (!staticNames.has(name)) staticNames.set(name, index + 1);
  staticPairs.set(`${name}\0${value}`, index + 1);
}

/**
 * Names of the fields that enter the table, because every message repeats them. Others are written as literals, so that the
 * table soon stops changing and both sides can keep whole blocks.
 */
const indexed = new Set([
  ":authority",
  ":path",
  "content-type",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-status",
  "te",
  "user-agent",
]);

/** Names of the fields that no intermediary may put into a table (RFC 7541, section 7.1.3). */
const secret = new Set(["authorization", "cookie", "proxy-authorization", "set-cookie"]);

/** The largest table that is used, whatever the peer allows. */
const MAX_TABLE_SIZE = 4096;

/** Encodes header blocks (RFC 7541). */
export class HpackEncoder {
  #limit = MAX_TABLE_SIZE;
  /** The smallest table size since the last block: the next one begins with it and the current size. Undefined: unchanged. */
  #smallest: number | undefined;
  #size = 0;
  /** The numbers of the entries by name and value, counted from the first that was ever inserted. */
  readonly #numbers = new Map<string, number>();
  readonly #sizes: number[] = [];
  #inserted = 0;
  /** The number of changes of the table. */
  #changes = 0;
  readonly #constants = new Map<ConstantBlock, { readonly changes: number; readonly bytes: Uint8Array }>();

  /** Adopts the peer's SETTINGS_HEADER_TABLE_SIZE. */
  setMaxTableSize(size: number): void {
    const limit = Math.min(size, MAX_TABLE_SIZE);
    if (limit === this.#limit) return;
    this.#smallest = Math.min(this.#smallest ?? limit, limit);
    this.#limit = limit;
    this.#evict(this.#limit);
    this.#changes++;
  }

  /** Returns the number of bytes that must be reserved in the output before the fields are encoded. */
  room(fields: FieldList): number {
    let room = 16;
    for (const text of fields) room += text.length + 6;
    return room;
  }

  encode(fields: FieldList, output: Output): void {
    if (this.#smallest !== undefined) {
      if (this.#smallest < this.#limit) writeInteger(output, 0x20, 5, this.#smallest);
      writeInteger(output, 0x20, 5, this.#limit);
      this.#smallest = undefined;
    }
    for (let at = 0; at < fields.length; at += 2) this.#field(fields[at] as string, fields[at + 1] as string, output);
  }

  encodeConstant(block: ConstantBlock, output: Output): void {
    const kept = this.#constants.get(block);
    if (kept !== undefined && kept.changes === this.#changes && this.#smallest === undefined) {
      output.write(kept.bytes);
      return;
    }
    const before = this.#changes;
    const hadUpdate = this.#smallest !== undefined;
    const start = output.at;
    this.encode(block.fields, output);
    if (this.#changes === before && !hadUpdate) {
      const bytes = Uint8Array.prototype.slice.call(output.buffer, start, output.at);
      this.#constants.set(block, { changes: before, bytes });
    }
  }

  #field(name: string, value: string, output: Output): void {
    const pair = `${name}\0${value}`;
    const known = staticPairs.get(pair);
    if (known !== undefined) {
      writeInteger(output, 0x80, 7, known);
      return;
    }
    const nameIndex = staticNames.get(name) ?? 0;
    if (indexed.has(name)) {
      const number = this.#numbers.get(pair);
      if (number !== undefined) {
        writeInteger(output, 0x80, 7, staticTable.length + this.#inserted - number);
        return;
      }
      if (this.#insert(pair)) {
        writeInteger(output, 0x40, 6, nameIndex);
        if (nameIndex === 0) writeHuffman(output, name);
        // It is written once in a connection's life, so the shorter form pays.
        writeHuffman(output, value);
        return;
      }
    }
    writeInteger(output, secret.has(name) ? 0x10 : 0x00, 4, nameIndex);
    if (nameIndex === 0) writeText(output, name);
    writeText(output, value);
  }

  #insert(pair: string): boolean {
    const size = pair.length - 1 + 32;
    if (size > this.#limit) return false;
    this.#evict(this.#limit - size);
    this.#numbers.set(pair, this.#inserted++);
    this.#sizes.push(size);
    this.#size += size;
    this.#changes++;
    return true;
  }

  #evict(room: number): void {
    while (this.#size > room) {
      const [oldest] = this.#numbers;
      if (oldest === undefined) return;
      this.#numbers.delete(oldest[0]);
      this.#size -= this.#sizes.shift() as number;
      this.#changes++;
    }
  }
}

function writeInteger(output: Output, flags: number, bits: number, value: number): void {
  const { buffer } = output;
  const mask = (1 << bits) - 1;
  if (value < mask) {
    buffer[output.at++] = flags | value;
    return;
  }
  buffer[output.at++] = flags | mask;
  let rest = value - mask;
  while (rest >= 0x80) {
    buffer[output.at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[output.at++] = rest;
}

/** Writes a string without Huffman code: that is cheaper on both sides for strings that come with every message. */
function writeText(output: Output, text: string): void {
  writeInteger(output, 0, 7, text.length);
  output.at += output.buffer.write(text, output.at, "latin1");
}

function writeHuffman(output: Output, text: string): void {
  const length = huffmanLength(text);
  if (length >= text.length) {
    writeText(output, text);
    return;
  }
  writeInteger(output, 0x80, 7, length);
  output.at = encodeHuffman(text, output.buffer, output.at);
}
