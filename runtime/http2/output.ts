/** The number of bytes that are sent together at most. */
const SLAB = 64 * 1024;
/** The number of free slabs that are kept for the next writers. */
const MAX_FREE = 256;

const free: Buffer[] = [];
const none = Buffer.alloc(0);

/**
 * The output buffer of a connection: frames are built in place, and leave in one write. Connections share the memory. Each
 * has some only while it has bytes to send, and the slab that was used last is in the processor's cache.
 */
export class Output {
  /** The next byte is written to `buffer[at]`, after `reserve`. */
  buffer: Buffer = none;
  at = 0;
  #start = 0;

  /** `send` takes bytes over, and returns whether it has done with them. If not, `release` is called when it has. */
  constructor(private readonly send: (bytes: Buffer) => boolean) {}

  /** The number of bytes that are not sent yet. */
  get length(): number {
    return this.at - this.#start;
  }

  /** Makes room for `size` more bytes at `buffer[at]`. A full slab is sent. */
  reserve(size: number): void {
    if (this.buffer.length - this.at < size) this.#grow(size);
  }

  #grow(size: number): void {
    this.flush();
    this.buffer = size > SLAB ? Buffer.allocUnsafeSlow(size) : (free.pop() ?? Buffer.allocUnsafeSlow(SLAB));
    this.at = 0;
    this.#start = 0;
  }

  /** Sends the bytes that are not sent yet. */
  flush(): void {
    if (this.at === this.#start) return;
    const bytes = this.buffer.subarray(this.#start, this.at);
    this.#start = this.at;
    if (this.send(bytes)) this.release();
  }

  /** The bytes that were sent are no longer in use. */
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
