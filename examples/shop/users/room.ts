import { Code, ConnectError } from "@connectrpc/connect";

/** A slow listener is let go when this many messages wait for it, rather than remembered for without end. */
const BACKLOG = 1000;

/** Rooms of one process: what anyone says in a room reaches everyone in it. */
export class Rooms<T> {
  readonly #rooms = new Map<string, Set<Seat<T>>>();

  /** Takes a seat; leave it when done. */
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

/** One participant's place in a room: what it says, and what it has yet to hear. */
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

  /** Ends the conversation once the backlog is read; with a failure, by that. */
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
