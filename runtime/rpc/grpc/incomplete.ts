import { Code, ConnectError } from "@connectrpc/connect";
import type { Limits } from "../http2/limits.js";
import { startTimer, stopTimer, Timer } from "../http2/timers.js";
import { PREFIX } from "./frame.js";

/** The messages of one connection that are not complete. */
export class IncompleteMessages {
  bytes = 0;
  /** The one that began first is first. */
  readonly messages = new Set<IncompleteMessage>();

  constructor(readonly limits: Limits) {}
}

/**
 * The message of one call that is not complete yet. A connection may be a gateway's, and its streams those of many
 * callers: when all of them keep too much, it is the call whose message began first that has to give way, so that who holds
 * messages back harms nobody who sends.
 */
export class IncompleteMessage {
  #bytes = 0;
  readonly #late = new Timer(() => {
    this.end();
    this.fail(new ConnectError("a message took too long to arrive", Code.DeadlineExceeded));
  });

  constructor(
    private readonly all: IncompleteMessages,
    private readonly fail: (error: ConnectError) => void,
  ) {}

  /** So many bytes of it are here. */
  keep(bytes: number): void {
    const { all } = this;
    if (!all.messages.has(this)) {
      all.messages.add(this);
      startTimer(this.#late, all.limits.messageTimeoutMs);
    }
    all.bytes += bytes - this.#bytes;
    this.#bytes = bytes;
    for (const oldest of all.messages) {
      if (all.bytes <= all.limits.maxIncompleteBytes) return;
      if (oldest.#bytes > 0) oldest.#giveWay();
    }
  }

  /** It is complete, or nobody waits for it any more: the next one begins when some of it is kept. */
  end(): void {
    if (!this.all.messages.delete(this)) return;
    stopTimer(this.#late);
    this.all.bytes -= this.#bytes;
    this.#bytes = 0;
  }

  #giveWay(): void {
    this.end();
    const text = "too many bytes of incomplete messages on this connection, of which this one began first";
    this.fail(new ConnectError(text, Code.ResourceExhausted));
  }
}

/** Counts what has come of a message in a body of several, without keeping any of it. */
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
