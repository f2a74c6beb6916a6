import type { ConnectError } from "@connectrpc/connect";
import { UnreadMessage } from "./unread-message.js";

interface Item {
  readonly message: unknown;
  /** The number of bytes of the flow-control window that the message takes. */
  readonly size: number;
}

interface Reader {
  resolve(result: IteratorResult<unknown, undefined>): void;
  reject(error: unknown): void;
}

/** The messages that have arrived on a stream, read with `for await`. */
export class MessageQueue implements AsyncIterableIterator<unknown, undefined> {
  #items: Item[] = [];
  #readers: Reader[] = [];
  /** Undefined while more messages may arrive; then the error, or null if there was none. */
  #end: ConnectError | null | undefined;
  /** Whether the reader has stopped early. */
  #isLeft = false;
  /** Whether the reader has been told the end. */
  #isEndSeen = false;

  /**
   * `taken` is called for each message that the reader takes, with its size and whether the queue is empty now. `left` is
   * called if the reader stops early, and `endSeen` once the reader has been told the end.
   */
  constructor(
    private readonly taken: (size: number, isEmpty: boolean) => void,
    private readonly left: () => void,
    private readonly endSeen: () => void = () => undefined,
  ) {}

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /** Adds a message. An UnreadMessage is decoded when it is taken. */
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

  /** Ends the queue. The reader gets the remaining messages first, and then the end or the error. */
  finish(error?: ConnectError): void {
    if (this.#end !== undefined) return;
    this.#end = error ?? null;
    for (const reader of this.#readers.splice(0)) this.#finished(reader);
  }

  /** Drops the remaining messages and ends the queue with an error, unless the reader has been told the end. */
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

  /** Called by `for await` if the reader stops early. */
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
