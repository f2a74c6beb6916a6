import type { EventRecord, ReceivedRecord } from "./record.js";

/** A stream of events of one type, as its contract declares it. */
export interface Topic {
  readonly name: string;
  /** In how many parts it is kept and consumed, at least. Events of one key are in one of them. */
  readonly partitions: number;
  /** How long the broker keeps its events, at least, in milliseconds. */
  readonly retentionMs: number;
  /** The groups that are known to consume it: what is published before they first start is theirs as well. */
  readonly groups: readonly string[];
}

/**
 * Keeps events, and hands them to groups of consumers: at least once, and those of a key in their order, each partition
 * to one member of a group at a time. It need not do more: what makes effects happen once, retries and dead letters
 * stand on the consumer's own database, and are the same over every broker.
 *
 * A broker that is away costs delay alone: `publish` rejects, and may be called again; subscriptions come back by
 * themselves.
 */
export interface Broker {
  /** What it is, in OpenTelemetry's words (`messaging.system`): "postgresql", "kafka", "rabbitmq". */
  readonly system: string;
  /** Makes topics, and what their groups need, exist. What is there already stays as it is. */
  declare(topics: readonly Topic[]): Promise<void>;
  /**
   * Publishes to declared topics, in order. Ends once all of it is kept safely; if it rejects, any part of it may have
   * been published.
   *
   * @throws RecordRefused if the broker will never take one of them
   */
  publish(records: readonly EventRecord[]): Promise<void>;
  /** Begins to consume. It goes on until it is closed, whatever happens to the broker meanwhile. */
  subscribe(options: SubscribeOptions): BrokerSubscription;
  /** How many events of a topic a group has still before it, in each partition, from 0 on. What it has settled is committed. */
  lag(group: string, topics: readonly string[]): Promise<ReadonlyMap<string, readonly number[]>>;
  /** Closes what is left open. Subscriptions are closed first, by those who made them. */
  close(): Promise<void>;
}

export interface SubscribeOptions {
  readonly group: string;
  /** Declared topics. A group that never consumed one begins with the oldest that is kept. */
  readonly topics: readonly Topic[];
  /** The most records handed out at once from one partition. */
  readonly batch: number;
  /**
   * Takes records of one partition, in order; partitions are handed out side by side, but no partition has two batches
   * under way. Once it ends, all of them are settled, and are not handed out again. If it rejects, none of them counts as
   * settled: they come again after a pause. After `signal` is aborted the partition may be someone else's: nothing that
   * was not begun is to be begun.
   */
  handle(records: readonly ReceivedRecord[], signal: AbortSignal): Promise<void>;
}

export interface BrokerSubscription {
  /** Ends when it first has partitions, or knows that others of the group have them all. */
  ready(): Promise<void>;
  /** Takes nothing new, waits for what is under way, then leaves the group. */
  close(): Promise<void>;
}

/** A record that its broker will never take, such as one that is too large. */
export class RecordRefused extends Error {
  override readonly name = "RecordRefused";

  /** @param index which of the records that were published together */
  constructor(
    readonly index: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
