import type { Backlog } from "../http2/backlog.js";

/** The call that responses are streamed on. */
export interface ResponseStreamCall {
  readonly isOver: boolean;
  /** Sends a response. Calls `sent` of the stream when that is done, unless the call has failed. */
  send(response: unknown): void;
  /** The handler has ended. */
  stopped(): void;
  /** The handler has failed. */
  failed(error: unknown): void;
  /** Sends status OK, unless the call is over. */
  finish(): void;
}

/** The responses of a server-streaming handler: requests the next one when the connection has room for it. */
export class ResponseStream {
  /** "asked": the handler's next response is awaited. "blocked": the caller has to read before. */
  #state: "sending" | "asked" | "blocked" = "sending";
  #unhold: (() => void) | undefined;

  constructor(
    private readonly responses: AsyncIterator<unknown>,
    private readonly backlog: Backlog,
    private readonly call: ResponseStreamCall,
  ) {}

  /** Asks for the next response. */
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

  /** A response has been sent; `isQueued`: a part of it waits for the caller to read. */
  sent(isQueued: boolean): void {
    if (isQueued) this.#state = "blocked";
    else this.#pullWithRoom();
  }

  /** The caller has read all that was sent. */
  drained(): void {
    if (this.#state !== "blocked") return;
    this.#state = "sending";
    this.#pullWithRoom();
  }

  #pullWithRoom(): void {
    if (this.backlog.isFull()) this.#unhold = this.backlog.hold(0, () => this.pull());
    else this.pull();
  }

  /** Ends the handler's iterator without waiting for it, because a stuck generator never returns. */
  leave(): void {
    this.#unhold?.();
    // A handler that was asked stops when it responds.
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
