/** How much is put together before it is sent, though its turn has not ended. */
const SLAB = 64 * 1024;
/** How many slabs are kept for whoever writes next. */
const MAX_FREE = 256;

const free: Buffer[] = [];
const none = Buffer.alloc(0);

/**
 * Bytes that wait to be sent on a connection: frames are put together in place, and go out in one write. Its memory is
 * shared: a connection has some only while something waits, and what was written just now is in the processor's cache.
 */
export class Output {
  /** Where the next byte goes: `buffer[at]`. Only after `reserve`. */
  buffer: Buffer = none;
  at = 0;
  #start = 0;

  /** `send` takes bytes over, and answers whether it has done with them: if not, `release` says when it has. */
  constructor(private readonly send: (bytes: Buffer) => boolean) {}

  /** How many bytes wait. */
  get length(): number {
    return this.at - this.#start;
  }

  /** Makes room for `size` more bytes at `buffer[at]`: a slab that is full is sent. */
  reserve(size: number): void {
    if (this.buffer.length - this.at < size) this.#grow(size);
  }

  #grow(size: number): void {
    this.flush();
    this.buffer = size > SLAB ? Buffer.allocUnsafeSlow(size) : (free.pop() ?? Buffer.allocUnsafeSlow(SLAB));
    this.at = 0;
    this.#start = 0;
  }

  /** Sends what waits. */
  flush(): void {
    if (this.at === this.#start) return;
    const bytes = this.buffer.subarray(this.#start, this.at);
    this.#start = this.at;
    if (this.send(bytes)) this.release();
  }

  /** Nobody needs what was sent any more. */
  release(): void {
    if (this.at !== this.#start || this.buffer === none) return;
    if (this.buffer.length === SLAB && free.length < MAX_FREE) free.push(this.buffer);
    this.buffer = none;
    this.at = 0;
    this.#start = 0;
  }

  /** Copies bytes in. */
  write(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
  }
}
