import { Code, ConnectError } from "@connectrpc/connect";

/** The most messages that may wait for a slow listener. One more ends its stream, so that memory stays bounded. */
const BACKLOG = 1000;

/** Chat rooms within one process. Each message reaches every seat of its room. */
export class Rooms<T> {
  readonly #rooms = new Map<string, Set<Seat<T>>>();

  /** Takes a seat in a room. The caller must leave it when done. */
  join(name: string): Seat<T> {
    const room = this.#rooms.get(name) ?? new Set();
    this.#rooms.set(name, room);
    const seat = new Seat<T>(
      (message) => {
        for (const other of room) other.hear(message);
      },
      () => {
        room.delete(seat);
        if (room.size === 0) this.#rooms.delete(name);
      },
    );
    room.add(seat);
    return seat;
  }
}

/** A participant's seat in a room. Iterating over it yields the messages that it has not heard yet. */
export class Seat<T> implements AsyncIterable<T> {
  readonly #backlog: T[] = [];
  #wake: () => void = () => undefined;
  #over = false;
  #failure: unknown;

  constructor(
    readonly say: (message: T) => void,
    readonly leave: () => void,
  ) {}

  hear(message: T): void {
    if (this.#backlog.length >= BACKLOG) {
      this.end(
        new ConnectError(
          `${BACKLOG} messages are waiting to be read: join again and read faster`,
          Code.ResourceExhausted,
        ),
      );
    } else {
      this.#backlog.push(message);
      this.#wake();
    }
  }

  /** Ends the iteration after the backlog was read, with the failure if there is one. */
  end(failure?: unknown): void {
    this.#over = true;
    this.#failure ??= failure;
    this.leave();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    while (true) {
      yield* this.#backlog.splice(0);
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#backlog.length > 0) continue;
      if (this.#over) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
