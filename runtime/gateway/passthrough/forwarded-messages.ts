import type { ConnectError } from "@connectrpc/connect";
import { errorFor } from "../../errors/error.js";

/** The maximum number of incomplete bytes that a service buffers for one gateway. It is below the service's limit for a connection. */
const MAX_BYTES = 24 * 1024 * 1024;

/** The incomplete messages of one caller's connection. */
interface ConnectionMessages {
  bytes: number;
  readonly messages: Set<ForwardedMessage>;
}

/**
 * The incomplete messages that the gateway has forwarded to one service. The service sees only the gateway's connection, and
 * limits the incomplete bytes on it without regard to their callers. The gateway therefore has a lower limit. If it is exceeded,
 * the oldest message of the connection with the most incomplete bytes fails.
 */
export class ForwardedMessages {
  #bytes = 0;
  readonly #callers = new Map<object, ConnectionMessages>();

  add(message: ForwardedMessage, bytes: number): void {
    let caller = this.#callers.get(message.caller);
    if (caller === undefined) {
      caller = { bytes: 0, messages: new Set() };
      this.#callers.set(message.caller, caller);
    }
    caller.messages.add(message);
    caller.bytes += bytes;
    this.#bytes += bytes;
    while (this.#bytes > MAX_BYTES) this.#failOldest();
  }

  remove(message: ForwardedMessage, bytes: number): void {
    const caller = this.#callers.get(message.caller);
    if (caller?.messages.delete(message) !== true) return;
    caller.bytes -= bytes;
    this.#bytes -= bytes;
    if (caller.messages.size === 0) this.#callers.delete(message.caller);
  }

  #failOldest(): void {
    let most: ConnectionMessages | undefined;
    for (const caller of this.#callers.values()) if (most === undefined || caller.bytes > most.bytes) most = caller;
    const [first] = most!.messages;
    first!.failOverLimit();
  }
}

/** The incomplete message of one forwarded call, if there is one. */
export class ForwardedMessage {
  #bytes = 0;

  constructor(
    private readonly all: ForwardedMessages,
    /** The caller's connection. */
    readonly caller: object,
    private readonly fail: (error: ConnectError) => void,
  ) {}

  /** Sets the number of forwarded bytes of the incomplete message; 0 if there is none. */
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

  failOverLimit(): void {
    this.end();
    const text = "callers hold too many bytes of incomplete messages back, and this caller most of them";
    this.fail(errorFor("INCOMPLETE_MESSAGES_OVER_LIMIT", text));
  }
}
