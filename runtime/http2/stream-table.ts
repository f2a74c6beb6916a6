import { protocolError } from "./errors.js";
import { MAX_STREAM_ID } from "./frames.js";
import type { Stream } from "./stream.js";

/** The number of streams whose reset by this side is remembered. */
const REMEMBERED_RESETS = 256;

/** The open streams of a connection, and what is known of their ids (RFC 9113, section 5.1.1). */
export class StreamTable {
  readonly #streams = new Map<number, Stream>();
  /** Streams that this side has reset: frames that the peer sent before it knew are no fault. */
  readonly #resets = new Set<number>();
  #nextId = 1;
  #lastPeerId = 0;
  #lastAcceptedId = MAX_STREAM_ID;

  constructor(private readonly role: "server" | "client") {}

  /** The number of open streams. */
  get size(): number {
    return this.#streams.size;
  }

  values(): IterableIterator<Stream> {
    return this.#streams.values();
  }

  get(id: number): Stream | undefined {
    return this.#streams.get(id);
  }

  add(stream: Stream): void {
    this.#streams.set(stream.id, stream);
  }

  delete(stream: Stream): void {
    this.#streams.delete(stream.id);
  }

  clear(): void {
    this.#streams.clear();
  }

  /** Returns the stream that a frame is for, or undefined if it is closed. Throws a ConnectionFault if it was never opened. */
  find(id: number, frameType: string): Stream | undefined {
    const stream = this.#streams.get(id);
    if (stream !== undefined) return stream;
    if (id === 0) throw protocolError(`${frameType} on stream 0`);
    if (this.isIdle(id)) throw protocolError(`${frameType} on stream ${id}, which is idle`);
    return undefined;
  }

  /** Returns whether neither side has opened the stream. Servers open none. */
  isIdle(id: number): boolean {
    return id % 2 === 0 || (this.role === "server" ? id > this.#lastPeerId : id >= this.#nextId);
  }

  /** The id of the next stream of this side. */
  takeId(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  /** Whether this side has used every id. */
  get isUsedUp(): boolean {
    return this.#nextId > MAX_STREAM_ID;
  }

  /** The last stream that the peer has opened. */
  get lastPeerId(): number {
    return this.#lastPeerId;
  }

  /** The peer opens a stream. Returns whether it is one that this side still accepts. */
  openByPeer(id: number): boolean {
    this.#lastPeerId = id;
    return this.accepts(id);
  }

  /** Accepts no streams after the last one of the peer. */
  acceptNoMore(): void {
    this.#lastAcceptedId = this.#lastPeerId;
  }

  accepts(id: number): boolean {
    return id <= this.#lastAcceptedId;
  }

  /** Whether this side has reset the stream a short while ago. */
  wasReset(id: number): boolean {
    return this.#resets.has(id);
  }

  rememberReset(id: number): void {
    this.#resets.add(id);
    if (this.#resets.size <= REMEMBERED_RESETS) return;
    const [oldest] = this.#resets;
    this.#resets.delete(oldest as number);
  }
}
