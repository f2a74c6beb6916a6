import type { Backlog } from "../http2/backlog.js";

/** The call of a response stream. */
export interface ResponseStreamCall {
  readonly isOver: boolean;
  /** Sends a response, then calls `sent` of the stream unless the call has failed. */
  send(response: unknown): void;
  /** Called when the handler has ended. */
  stopped(): void;
  /** Called when the handler has failed. */
  failed(error: unknown): void;
  /** Sends status OK, unless the call is over. */
  finish(): void;
}

/** The responses of a streaming handler. The next one is requested when the connection has room for it. */
export class ResponseStream {
  /** "asked": the handler's next response is awaited. "blocked": flow control holds a response back until the caller reads. */
  #state: "sending" | "asked" | "blocked" = "sending";
  #unhold: (() => void) | undefined;

  constructor(
    private readonly responses: AsyncIterator<unknown>,
    private readonly backlog: Backlog,
    private readonly call: ResponseStreamCall,
  ) {}

  /** Requests the next response from the handler. */
  pull(): void {
    this.#state = "asked";
    try {
      this.responses.next().then(
        (result) => this.#next(result),
        (error) => this.call.failed(error),
      );
    } catch (error) {
      this.call.failed(error);
    }
  }

  #next({ done, value }: IteratorResult<unknown>): void {
    this.#state = "sending";
    if (!done && !this.call.isOver) {
      this.call.send(value);
      return;
    }
    this.call.stopped();
    this.call.finish();
  }

  /** Called when a response has been sent. `isQueued`: flow control holds a part of it back. */
  sent(isQueued: boolean): void {
    if (isQueued) this.#state = "blocked";
    else this.#pullWithRoom();
  }

  /** Called when the stream has no queued bytes left. */
  drained(): void {
    if (this.#state !== "blocked") return;
    this.#state = "sending";
    this.#pullWithRoom();
  }

  #pullWithRoom(): void {
    if (this.backlog.isFull()) this.#unhold = this.backlog.hold(0, () => this.pull());
    else this.pull();
  }

  /** Ends the handler's iterator. Does not wait for it, because a stuck generator never returns. */
  leave(): void {
    this.#unhold?.();
    // A handler whose next response is awaited has stopped when that response comes: see `#next`.
    const stopped = this.#state === "asked" ? () => undefined : () => this.call.stopped();
    try {
      const left = this.responses.return?.();
      if (left === undefined) stopped();
      else left.then(stopped, stopped);
    } catch {
      stopped();
    }
  }
}
