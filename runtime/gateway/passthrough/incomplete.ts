import type { ConnectError } from "@connectrpc/connect";
import { errorFor } from "../../errors/error.js";

/** The memory that a service spends on incomplete messages from all callers of a gateway, in bytes, below the service's own limit. */
const MAX_BYTES = 24 * 1024 * 1024;

/** What one connection of a caller has sent of messages that are not complete. */
interface Caller {
  bytes: number;
  readonly messages: Set<IncompleteMessage>;
}

/**
 * The messages on their way to one service of which only a part has come. The service knows the gateway's connection alone,
 * and takes no more than so many bytes of them. Before that is reached, the caller who holds most back has to give way,
 * by the message that began first.
 */
export class IncompleteMessages {
  #bytes = 0;
  readonly #callers = new Map<object, Caller>();

  add(message: IncompleteMessage, bytes: number): void {
    let caller = this.#callers.get(message.caller);
    if (caller === undefined) {
      caller = { bytes: 0, messages: new Set() };
      this.#callers.set(message.caller, caller);
    }
    caller.messages.add(message);
    caller.bytes += bytes;
    this.#bytes += bytes;
    while (this.#bytes > MAX_BYTES) this.#giveWay();
  }

  remove(message: IncompleteMessage, bytes: number): void {
    const caller = this.#callers.get(message.caller);
    if (caller?.messages.delete(message) !== true) return;
    caller.bytes -= bytes;
    this.#bytes -= bytes;
    if (caller.messages.size === 0) this.#callers.delete(message.caller);
  }

  #giveWay(): void {
    let most: Caller | undefined;
    for (const caller of this.#callers.values()) if (most === undefined || caller.bytes > most.bytes) most = caller;
    const [first] = most!.messages;
    first!.giveWay();
  }
}

/** The message of one call that is not complete. */
export class IncompleteMessage {
  #bytes = 0;

  constructor(
    private readonly all: IncompleteMessages,
    /** The caller's connection. */
    readonly caller: object,
    private readonly fail: (error: ConnectError) => void,
  ) {}

  /** The number of bytes that were passed on of the incomplete message; 0 if there is none. */
  keep(bytes: number): void {
    const more = bytes - this.#bytes;
    if (more > 0) {
      this.#bytes = bytes;
      this.all.add(this, more);
    } else if (more < 0) {
      this.end();
      this.keep(bytes);
    }
  }

  end(): void {
    const bytes = this.#bytes;
    this.#bytes = 0;
    if (bytes > 0) this.all.remove(this, bytes);
  }

  giveWay(): void {
    this.end();
    const text = "callers hold too many bytes of incomplete messages back, and this caller most of them";
    this.fail(errorFor("INCOMPLETE_MESSAGES_OVER_LIMIT", text));
  }
}
