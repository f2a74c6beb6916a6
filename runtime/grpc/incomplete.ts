import type { ConnectError } from "@connectrpc/connect";
import { errorFor } from "../errors/error.js";
import type { Limits } from "../http2/limits.js";
import { startTimer, stopTimer, Timer } from "../http2/timers.js";
import { PREFIX } from "./frame.js";

/** The connections of this process that keep messages which are not complete, and the bytes of all of those. */
const keeping = new Set<IncompleteMessages>();
let bytesInAll = 0;

/**
 * The messages of one connection that are not complete. When a connection keeps too many bytes of them, or all connections
 * of the process do, the message that began first gives way: of this connection, or of the one that keeps most.
 */
export class IncompleteMessages {
  bytes = 0;
  /** The one that began first is first. */
  readonly messages = new Set<IncompleteMessage>();

  constructor(readonly limits: Limits) {}

  /** Adds to the number of kept bytes; a negative number subtracts. */
  count(bytes: number): void {
    this.bytes += bytes;
    bytesInAll += bytes;
    if (this.bytes > 0) keeping.add(this);
    else keeping.delete(this);
    if (bytes <= 0) return;
    const { maxIncompleteBytes, maxIncompleteBytesInAll } = this.limits;
    while (this.bytes > maxIncompleteBytes) this.#giveWay("on this connection");
    while (bytesInAll > maxIncompleteBytesInAll) withMost().#giveWay("on all connections, and on this one the most");
  }

  #giveWay(where: string): void {
    for (const oldest of this.messages) {
      if (oldest.bytes === 0) continue;
      oldest.giveWay(where);
      return;
    }
  }
}

function withMost(): IncompleteMessages {
  let most: IncompleteMessages | undefined;
  for (const each of keeping) if (most === undefined || each.bytes > most.bytes) most = each;
  return most!;
}

/**
 * The message of one call that is not complete yet. A connection may be a gateway's, and its streams those of many
 * callers: when all of them keep too much, it is the call whose message began first that has to give way, so that who holds
 * messages back harms nobody who sends.
 */
export class IncompleteMessage {
  bytes = 0;
  readonly #late = new Timer(() => {
    this.end();
    this.fail(errorFor("MESSAGE_TOO_SLOW", "a message took too long to arrive"));
  });

  constructor(
    private readonly all: IncompleteMessages,
    private readonly fail: (error: ConnectError) => void,
  ) {}

  /** Sets the number of bytes that have arrived. */
  keep(bytes: number): void {
    const { all } = this;
    if (!all.messages.has(this)) {
      all.messages.add(this);
      startTimer(this.#late, all.limits.messageTimeoutMs);
    }
    const more = bytes - this.bytes;
    this.bytes = bytes;
    all.count(more);
  }

  /** Ends the message, because it is complete or abandoned. The next one starts with its first kept byte. */
  end(): void {
    if (!this.all.messages.delete(this)) return;
    stopTimer(this.#late);
    const { bytes } = this;
    this.bytes = 0;
    this.all.count(-bytes);
  }

  /** Fails its call, for too many bytes are kept there. */
  giveWay(where: string): void {
    this.end();
    const text = `too many bytes of incomplete messages ${where}, of which this one began first`;
    this.fail(errorFor("INCOMPLETE_MESSAGES_OVER_LIMIT", text));
  }
}

/** Counts the bytes of the current message in a stream's body, without keeping any of them. */
export class EnvelopeMeter {
  #prefix = 0;
  #length = 0;
  #missing = 0;

  /** Returns how many bytes of a message that is not complete are here, and whether another one was completed before it. */
  read(source: Uint8Array, start: number, end: number): { readonly bytes: number; readonly isNext: boolean } {
    let isNext = false;
    for (let at = start; at < end; ) {
      if (this.#prefix < PREFIX) {
        if (this.#prefix === 0) this.#length = 0;
        else this.#length = this.#length * 256 + (source[at] as number);
        at++;
        if (++this.#prefix < PREFIX) continue;
        this.#missing = this.#length;
      }
      const taken = Math.min(this.#missing, end - at);
      this.#missing -= taken;
      at += taken;
      if (this.#missing > 0) continue;
      this.#prefix = 0;
      isNext = true;
    }
    const bytes = this.#prefix < PREFIX ? this.#prefix : PREFIX + this.#length - this.#missing;
    return { bytes, isNext };
  }
}
