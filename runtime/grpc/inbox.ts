import type { ConnectError } from "@connectrpc/connect";

interface Item {
  /** The message, or, of one that has to be unpacked first, what does so. */
  readonly message: unknown;
  readonly isLater: boolean;
  /** How many bytes of its stream's window it takes. */
  readonly size: number;
}

interface Reader {
  resolve(result: IteratorResult<unknown, undefined>): void;
  reject(error: unknown): void;
}

/** Messages that have arrived, for one who reads them when there is time: the way from frames to `for await`. */
export class Inbox implements AsyncIterableIterator<unknown, undefined> {
  #items: Item[] = [];
  #readers: Reader[] = [];
  /** How it ends: undefined while it does not, null if well. */
  #end: ConnectError | null | undefined;
  #isLeft = false;
  #isSeen = false;

  /**
   * `taken` is told how many bytes were read, and whether anything is left; `left` that its reader stopped early; `seen`
   * that its reader knows the end.
   */
  constructor(
    private readonly taken: (size: number, isEmpty: boolean) => void,
    private readonly left: () => void,
    private readonly seen: () => void = () => undefined,
  ) {}

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /** A message has arrived. If `isLater`, it is what unpacks one, to be called when it is read. */
  add(message: unknown, size: number, isLater = false): void {
    if (this.#isLeft || this.#end !== undefined) {
      this.taken(size, true);
      return;
    }
    const item = { message, isLater, size };
    const reader = this.#readers.shift();
    if (reader === undefined) this.#items.push(item);
    else this.#give(item, reader);
  }

  /** No more will arrive. What has arrived is read before the end, or before the error. */
  finish(error?: ConnectError): void {
    if (this.#end !== undefined) return;
    this.#end = error ?? null;
    for (const reader of this.#readers.splice(0)) this.#finished(reader);
  }

  /** Ends with an error at once: what was not read is lost, and so is an end that its reader has not seen. */
  abort(error: ConnectError): void {
    if (this.#isSeen) return;
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

  /** The reader wants no more. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    if (!this.#isLeft) {
      this.#isLeft = true;
      this.#items = [];
      for (const reader of this.#readers.splice(0)) reader.resolve({ done: true, value: undefined });
      this.left();
      this.#see();
    }
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #give({ message, isLater, size }: Item, reader: Reader): void {
    if (isLater) {
      (message as () => Promise<unknown>)().then((value) => reader.resolve({ done: false, value }), reader.reject);
    } else reader.resolve({ done: false, value: message });
    this.taken(size, this.#items.length === 0);
  }

  #see(): void {
    if (this.#isSeen) return;
    this.#isSeen = true;
    this.seen();
  }

  #finished(reader: Reader): void {
    this.#see();
    if (this.#end) reader.reject(this.#end);
    else reader.resolve({ done: true, value: undefined });
  }
}
