import type { ConnectError } from "@connectrpc/connect";
import { UnreadMessage } from "./unread-message.js";

interface Item {
  readonly message: unknown;
  /** The bytes of the stream's window that the message takes. */
  readonly size: number;
}

interface Reader {
  resolve(result: IteratorResult<unknown, undefined>): void;
  reject(error: unknown): void;
}

/** The messages that have arrived on a stream, for a reader that takes them with `for await`. */
export class MessageQueue implements AsyncIterableIterator<unknown, undefined> {
  #items: Item[] = [];
  #readers: Reader[] = [];
  /** Undefined while more messages may arrive; then an error, or null without one. */
  #end: ConnectError | null | undefined;
  /** Whether the reader has stopped early. */
  #isLeft = false;
  /** Whether the reader knows the end. */
  #isEndSeen = false;

  /**
   * `taken` is called with the size of the messages that were read, and with whether none is left; `left` when the reader
   * stops early; `endSeen` when the reader knows the end.
   */
  constructor(
    private readonly taken: (size: number, isEmpty: boolean) => void,
    private readonly left: () => void,
    private readonly endSeen: () => void = () => undefined,
  ) {}

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /** A message has arrived. An UnreadMessage is decoded when it is taken. */
  add(message: unknown, size: number): void {
    if (this.#isLeft || this.#end !== undefined) {
      this.taken(size, true);
      return;
    }
    const item = { message, size };
    const reader = this.#readers.shift();
    if (reader === undefined) this.#items.push(item);
    else this.#give(item, reader);
  }

  /** No more messages arrive. The reader gets those that have arrived before the end or the error. */
  finish(error?: ConnectError): void {
    if (this.#end !== undefined) return;
    this.#end = error ?? null;
    for (const reader of this.#readers.splice(0)) this.#finished(reader);
  }

  /** Drops the messages that have not been read, and ends with an error, unless the reader knows the end. */
  abort(error: ConnectError): void {
    if (this.#isEndSeen) return;
    this.#items = [];
    this.#end = error;
    for (const reader of this.#readers.splice(0)) this.#finished(reader);
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return new Promise((resolve, reject) => {
      const item = this.#items.shift();
      if (item !== undefined) this.#give(item, { resolve, reject });
      else if (this.#end !== undefined || this.#isLeft) this.#finished({ resolve, reject });
      else this.#readers.push({ resolve, reject });
    });
  }

  /** The reader stops early. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    if (!this.#isLeft) {
      this.#isLeft = true;
      this.#items = [];
      for (const reader of this.#readers.splice(0)) reader.resolve({ done: true, value: undefined });
      this.left();
      this.#seeEnd();
    }
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #give({ message, size }: Item, reader: Reader): void {
    if (message instanceof UnreadMessage) {
      message.read().then((value) => reader.resolve({ done: false, value }), reader.reject);
    } else reader.resolve({ done: false, value: message });
    this.taken(size, this.#items.length === 0);
  }

  #seeEnd(): void {
    if (this.#isEndSeen) return;
    this.#isEndSeen = true;
    this.endSeen();
  }

  #finished(reader: Reader): void {
    this.#seeEnd();
    if (this.#end) reader.reject(this.#end);
    else reader.resolve({ done: true, value: undefined });
  }
}
