import { setTimeout as sleep } from "node:timers/promises";
import type { RecordsBatch } from "@platformatic/kafka";
import { backoffMs } from "../../call/backoff.js";
import type { Backoff } from "../../spec/retry.js";
import type { SubscribeOptions } from "../broker.js";
import type { ReceivedRecord } from "../record.js";
import { fromKafka, sizeOf } from "./message.js";

/** The bytes of fetched records, besides those that are being handled, at which a partition is not fetched further. */
const BUFFER_BYTES = 256 * 1024;
/** The delays between attempts to handle a batch. */
const RETRY: Backoff = { initialBackoffMs: 100, maxBackoffMs: 5000, backoffMultiplier: 2 };
/** The bit of a batch's attributes that marks control records, such as the end of a transaction. */
const CONTROL = 1 << 5;

interface Held {
  record: ReceivedRecord;
  readonly offset: bigint;
  readonly bytes: number;
}

export interface Handling extends Pick<SubscribeOptions, "batch" | "handle"> {
  /** Aborted when no further batch may begin. */
  readonly stop: AbortSignal;
  /** Aborted when the partition may be another member's. */
  readonly revoked: AbortSignal;
  /** Called when every record before `next` has been handled. */
  settled(next: bigint): void;
  rejected(error: unknown): void;
}

/** A partition that a member owns, with its fetched records in order until they are handled. */
export class Partition {
  readonly topic: string;
  readonly index: number;
  /** `topic id/partition`. A topic that is created again has another id. */
  readonly id: string;
  /** The offset to fetch next. */
  next: bigint;
  readonly #held: Held[] = [];
  #bytes = 0;
  #arrived: () => void = () => undefined;

  constructor(topic: string, index: number, topicId: string, next: bigint) {
    this.topic = topic;
    this.index = index;
    this.id = `${topicId}/${index}`;
    this.next = next;
  }

  get hasEnough(): boolean {
    return this.#bytes >= BUFFER_BYTES;
  }

  /** Takes batches that were fetched from `next` on. */
  take(batches: readonly RecordsBatch[]): void {
    for (const batch of batches) {
      for (const record of batch.attributes & CONTROL ? [] : batch.records) {
        const offset = batch.firstOffset + BigInt(record.offsetDelta);
        // Brokers send whole batches, which may begin before the offset.
        if (offset < this.next) continue;
        const received = fromKafka(this.topic, this.index, offset, record);
        const bytes = sizeOf(received);
        this.#held.push({ record: received, offset, bytes });
        this.#bytes += bytes;
      }
      const end = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
      if (end > this.next) this.next = end;
    }
    if (this.#held.length > 0) this.#arrived();
  }

  /** Drops records before an offset: they have been handled meanwhile. */
  skipTo(next: bigint): void {
    while (this.#held.length > 0 && this.#held[0]!.offset < next) this.#bytes -= this.#held.shift()!.bytes;
    if (next > this.next) this.next = next;
  }

  /** Hands out one batch after the other, each until it has been handled. */
  async handOut({ batch, handle, stop, revoked, settled, rejected }: Handling): Promise<void> {
    stop.addEventListener("abort", () => this.#arrived(), { once: true });
    let failures = 0;
    while (await this.#arrival(stop)) {
      const held = this.#held.slice(0, batch);
      const bytes = held.reduce((sum, item) => sum + item.bytes, 0);
      this.#bytes -= bytes;
      try {
        await handle(
          held.map(({ record }) => record),
          revoked,
        );
      } catch (error) {
        this.#bytes += bytes;
        if (!revoked.aborted) rejected(error);
        for (const item of held) item.record = { ...item.record, redelivered: true };
        await sleep(backoffMs(++failures, RETRY), undefined, { signal: stop }).catch(() => undefined);
        continue;
      }
      failures = 0;
      this.#held.splice(0, held.length);
      // Without further records, control records count as handled, too.
      settled(this.#held[0]?.offset ?? this.next);
    }
  }

  /** Waits for records. Returns false if no further batch may begin. */
  async #arrival(stop: AbortSignal): Promise<boolean> {
    if (this.#held.length === 0 && !stop.aborted) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return !stop.aborted;
  }
}
