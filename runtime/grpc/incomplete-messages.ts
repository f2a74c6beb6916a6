import type { ConnectError } from "@connectrpc/connect";
import { errorFor } from "../errors/error.js";
import type { Limits } from "../http2/limits.js";
import { startTimer, stopTimer, Timer } from "../http2/timers.js";
import { PREFIX } from "./frame.js";

/** The connections of the process that buffer incomplete messages, and the number of bytes of all of them. */
const buffering = new Set<IncompleteMessages>();
let bytesInAll = 0;

/**
 * The incomplete messages of one connection, of which the connection and the process may buffer a limited number of bytes.
 * If the connection's limit is exceeded, its oldest incomplete message fails. If the process's limit is exceeded, the oldest
 * one of the connection that buffers most fails.
 */
export class IncompleteMessages {
  bytes = 0;
  /** The oldest message comes first. */
  readonly messages = new Set<IncompleteMessage>();

  constructor(readonly limits: Limits) {}

  /** Adds to the number of buffered bytes; a negative number subtracts. */
  count(bytes: number): void {
    this.bytes += bytes;
    bytesInAll += bytes;
    if (this.bytes > 0) buffering.add(this);
    else buffering.delete(this);
    if (bytes <= 0) return;
    const { maxIncompleteBytes, maxIncompleteBytesInAll } = this.limits;
    while (this.bytes > maxIncompleteBytes) this.#failOldest("on this connection");
    while (bytesInAll > maxIncompleteBytesInAll)
      largestBuffer().#failOldest("on all connections, and on this one the most");
  }

  #failOldest(where: string): void {
    for (const oldest of this.messages) {
      if (oldest.bytes === 0) continue;
      oldest.failOverLimit(where);
      return;
    }
  }
}

function largestBuffer(): IncompleteMessages {
  let most: IncompleteMessages | undefined;
  for (const each of buffering) if (most === undefined || each.bytes > most.bytes) most = each;
  return most!;
}

/**
 * The incomplete message of one call, if there is one. A connection from a gateway carries the streams of many callers, so its
 * limit must not fail the wrong ones. The oldest incomplete message is the one that its caller holds back: it fails first, and
 * callers that send their messages without a pause are not affected.
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

  /** Sets the number of buffered bytes. The first call for a message starts its timeout. */
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

  /** Ends the message, because it is complete or its call is over. The next call of `keep` starts another one. */
  end(): void {
    if (!this.all.messages.delete(this)) return;
    stopTimer(this.#late);
    const { bytes } = this;
    this.bytes = 0;
    this.all.count(-bytes);
  }

  /** Fails the call, because too many bytes are buffered. */
  failOverLimit(where: string): void {
    this.end();
    const text = `too many bytes of incomplete messages ${where}, of which this one began first`;
    this.fail(errorFor("INCOMPLETE_MESSAGES_OVER_LIMIT", text));
  }
}

/** Counts the bytes of the incomplete message at the end of a body of length-prefixed messages, without buffering them. */
export class EnvelopeMeter {
  #prefix = 0;
  #length = 0;
  #missing = 0;

  /** Reads a chunk. Returns the number of bytes of the incomplete message, and whether the chunk completed an earlier one. */
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
