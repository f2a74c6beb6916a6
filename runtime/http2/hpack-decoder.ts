import { ConnectionFault, ErrorCode } from "./errors.js";
import { Field, HeaderBlock } from "./field.js";
import { decodeHuffman } from "./huffman.js";
import { staticTable } from "./static-table.js";

const staticFields = staticTable.map(([name, value]) => new Field(name, value));
const STATIC = staticFields.length;

/** Takes a Huffman-coded string while it is decoded. */
let scratch = Buffer.allocUnsafeSlow(4096);

/** The number of blocks that are kept by their bytes, and the length up to which they are. */
const KEPT_BLOCKS = 128;
const KEPT_BLOCK_BYTES = 512;
/** After so many new blocks in a row from a peer that does not repeat itself, blocks are not kept for the next PAUSE blocks. */
const PATIENCE = 32;
const PAUSE = 1024;

/** Decodes header blocks (RFC 7541). Its memory stays within the table's size and the list's limit, whatever a peer sends. */
export class HpackDecoder {
  readonly #maxTableSize: number;
  readonly #maxListSize: number;
  /** The newest entry last. */
  #table: Field[] = [];
  #tableSize = 0;
  #tableLimit: number;
  /** Decoded blocks by their bytes, until the table changes. */
  readonly #known = new Map<string, HeaderBlock>();
  /** The new blocks in a row, then the blocks of the pause. */
  #missed = 0;
  #at = 0;

  /** `maxTableSize`: SETTINGS_HEADER_TABLE_SIZE; `maxListSize`: SETTINGS_MAX_HEADER_LIST_SIZE. */
  constructor(maxTableSize: number, maxListSize: number) {
    this.#maxTableSize = maxTableSize;
    this.#tableLimit = maxTableSize;
    this.#maxListSize = maxListSize;
  }

  /** Throws a ConnectionFault of COMPRESSION_ERROR if the block cannot be decoded: both sides' tables would then differ for good. */
  decode(source: Buffer, start: number, end: number): HeaderBlock {
    if (end - start > KEPT_BLOCK_BYTES || this.#missed > PATIENCE) {
      if (this.#missed > PATIENCE && ++this.#missed > PAUSE) this.#missed = 0;
      return this.#decode(source, start, end);
    }
    const key = source.toString("latin1", start, end);
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.#missed = 0;
      return known;
    }
    this.#missed++;
    const before = this.#changes;
    const block = this.#decode(source, start, end);
    if (this.#changes === before) {
      if (this.#known.size >= KEPT_BLOCKS) this.#known.clear();
      this.#known.set(key, block);
    }
    return block;
  }

  /** The number of changes of the table. */
  #changes = 0;

  #decode(source: Buffer, start: number, end: number): HeaderBlock {
    const fields: Field[] = [];
    let size = 0;
    this.#at = start;
    while (this.#at < end) {
      const byte = source[this.#at] as number;
      let field: Field;
      if (byte >= 0x80) {
        field = this.#entry(this.#integer(source, end, 7));
      } else if (byte >= 0x40) {
        field = this.#literal(source, end, 6);
        this.#insert(field);
      } else if (byte >= 0x20) {
        if (fields.length > 0) throw fault("a table size update after a field");
        this.#resize(this.#integer(source, end, 5));
        continue;
      } else {
        field = this.#literal(source, end, 4);
      }
      size += field.size;
      // Fields above the limit are decoded as well, because the table must follow, but they are not kept.
      if (size <= this.#maxListSize) fields.push(field);
    }
    return new HeaderBlock(fields, size > this.#maxListSize);
  }

  #literal(source: Buffer, end: number, prefix: number): Field {
    const index = this.#integer(source, end, prefix);
    const name = index === 0 ? this.#string(source, end) : this.#entry(index).name;
    return new Field(name, this.#string(source, end));
  }

  #entry(index: number): Field {
    const field = index <= STATIC ? staticFields[index - 1] : this.#table[this.#table.length - (index - STATIC)];
    if (field === undefined) throw fault(`no entry ${index} in the tables`);
    return field;
  }

  #insert(field: Field): void {
    this.#evict(this.#tableLimit - field.size);
    if (field.size <= this.#tableLimit) {
      this.#table.push(field);
      this.#tableSize += field.size;
    }
    this.#changed();
  }

  #resize(limit: number): void {
    if (limit > this.#maxTableSize)
      throw fault(`a table of ${limit} bytes, more than the ${this.#maxTableSize} allowed`);
    this.#tableLimit = limit;
    this.#evict(limit);
    this.#changed();
  }

  #evict(room: number): void {
    let count = 0;
    while (this.#tableSize > room && count < this.#table.length) {
      this.#tableSize -= (this.#table[count++] as Field).size;
    }
    // At most 128 entries fit into 4096 bytes, so moving them is cheap.
    if (count > 0) this.#table.splice(0, count);
  }

  #changed(): void {
    this.#changes++;
    if (this.#known.size > 0) this.#known.clear();
  }

  /** Reads an integer with a prefix of `bits` bits (RFC 7541, section 5.1). */
  #integer(source: Buffer, end: number, bits: number): number {
    const mask = (1 << bits) - 1;
    let value = (source[this.#at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= end) throw fault("an integer that is cut off");
      const byte = source[this.#at++] as number;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw fault("an integer that is too large");
  }

  #string(source: Buffer, end: number): string {
    if (this.#at >= end) throw fault("a text that is cut off");
    const isHuffman = (source[this.#at] as number) >= 0x80;
    const length = this.#integer(source, end, 7);
    const start = this.#at;
    const stop = start + length;
    if (stop > end) throw fault("a text that is cut off");
    this.#at = stop;
    if (!isHuffman) return source.toString("latin1", start, stop);
    if (scratch.length < length * 2) scratch = Buffer.allocUnsafeSlow(length * 2);
    const decoded = decodeHuffman(source, start, stop, scratch);
    if (decoded < 0) throw fault("a text that is not Huffman code");
    return scratch.toString("latin1", 0, decoded);
  }
}

function fault(found: string): ConnectionFault {
  return new ConnectionFault(ErrorCode.COMPRESSION_ERROR, `a header block holds ${found}`);
}
