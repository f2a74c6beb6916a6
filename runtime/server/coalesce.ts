/** A chunk of more bytes than this is passed on as it is. */
const SMALL = 512;
/** How many bytes of small chunks are put together at most. */
const ROOM = 4096;

/**
 * Puts the small chunks of a body together that arrive in one turn of the event loop. A chunk is an object of some 300
 * bytes, and its sender pays a byte or two for it: whoever keeps a body until it is whole would keep hundreds of times
 * what was sent. The first chunk, which is the whole of most bodies, is passed on at once.
 */
export class ChunkCoalescer {
  #isFirst = true;
  #bytes: Buffer | undefined;
  #length = 0;

  /**
   * @param push takes a chunk, or null at the end, as Readable.push does; returns whether there is room for more
   * @param stop called when what was held back has left no room for more
   */
  constructor(
    private readonly push: (chunk: Buffer | null) => boolean,
    private readonly stop: () => void,
  ) {}

  /** Takes a chunk, or null at the end. Returns whether there is room for more. */
  take(chunk: Buffer | null): boolean {
    if (this.#isFirst || chunk === null || chunk.length > SMALL) {
      this.#isFirst = false;
      this.#flush();
      return this.push(chunk);
    }
    const hasRoom = this.#length + chunk.length <= ROOM || this.#flush();
    if (this.#length === 0) setImmediate(() => this.#flush() || this.stop());
    this.#bytes ??= Buffer.allocUnsafeSlow(ROOM);
    this.#length += chunk.copy(this.#bytes, this.#length);
    return hasRoom;
  }

  /** Passes on what is held back. Returns whether there is room for more. */
  #flush(): boolean {
    if (this.#length === 0) return true;
    const chunk = Buffer.from(this.#bytes!.subarray(0, this.#length));
    this.#length = 0;
    return this.push(chunk);
  }
}
