/** How much is allocated at once for what is to be written. */
const SLAB = 64 * 1024;

/** Bytes that wait to be written to a connection: frames are put together in place, and go out in one write. */
export class Output {
  /** Where the next byte goes: `buffer[at]`. Only after `reserve`. */
  buffer: Buffer = Buffer.allocUnsafeSlow(SLAB);
  at = 0;
  #start = 0;
  #full: Buffer[] = [];
  #fullLength = 0;

  /** How many bytes wait. */
  get length(): number {
    return this.#fullLength + this.at - this.#start;
  }

  /** Makes room for `size` more bytes at `buffer[at]`. */
  reserve(size: number): void {
    if (this.buffer.length - this.at < size) this.#grow(size);
  }

  #grow(size: number): void {
    this.#close();
    this.buffer = Buffer.allocUnsafeSlow(Math.max(SLAB, size));
    this.at = 0;
    this.#start = 0;
  }

  /** What waited, in its order. What is taken is not written to again. */
  take(): Buffer[] {
    this.#close();
    const taken = this.#full;
    this.#full = [];
    this.#fullLength = 0;
    return taken;
  }

  #close(): void {
    if (this.at === this.#start) return;
    this.#full.push(this.buffer.subarray(this.#start, this.at));
    this.#fullLength += this.at - this.#start;
    this.#start = this.at;
  }

  /** Copies bytes in. */
  write(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
  }
}
