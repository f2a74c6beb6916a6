import { sql } from "drizzle-orm";
import { ActiveCall, runAs } from "../call/active-call.js";
import { backoffMs } from "../call/backoff.js";
import type { Propagation } from "../call/propagation.js";
import type { Data } from "../data/data.js";
import { Condition } from "../data/postgres/condition.js";
import { isDatabaseOutage } from "../data/postgres/errors.js";
import { plainText } from "../data/postgres/plain-text.js";
import type { Logger } from "../observe/log.js";
import type { SubscriptionSpec } from "../spec/event.js";
import { type ConsumerContext, type ConsumerHandler, type Delivery, Unprocessable } from "./delivery.js";
import { readEvent, type Upcasters } from "./evolution.js";
import { type InboxRecord, inboxRecordOf, inboxStore, type QueuedRecord, type TopicPlace } from "./inbox-store.js";
import type { EventMetrics } from "./metrics.js";
import type { ReceivedRecord } from "./record.js";
import { Slots } from "./slots.js";

/** The subscription to one type of events, with the handler and the upcasters of its author. */
export interface Consumption {
  readonly spec: SubscriptionSpec;
  readonly handler: ConsumerHandler;
  readonly upcasters: Upcasters;
}

export interface ConsumerOptions {
  /** The group that consumes: the service's short name. */
  readonly group: string;
  readonly data: Data;
  readonly subscriptions: readonly Consumption[];
  readonly log: Logger;
  readonly metrics: EventMetrics;
  /** What goes on of the calls that published. */
  readonly propagation: Propagation;
}

/** How often queues that another process has left are looked at, in milliseconds. */
const POLL_MS = 1000;
const PRUNE_INTERVAL_MS = 60_000;
/** The number of queues' heads that are retried at a time. */
const RETRY_CONCURRENCY = 4;
const LONGEST_REASON = 2000;
/** How much longer an attempt's lease lasts than its handler may take, in milliseconds. */
const LEASE_MARGIN_MS = 5000;

interface Subscription extends Consumption {
  readonly slots: Slots;
}

/**
 * Handles a group's events, each once: the handler's writes and the event's name in the inbox are committed together. An event that
 * fails waits in the group's own database, with all later events of its key behind it, until an attempt succeeds. After the last
 * attempt it goes to the dead letters. An event therefore never holds up the broker, and all brokers behave alike.
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #subscriptions: ReadonlyMap<string, Subscription>;
  readonly #closing = new AbortController();
  readonly #working: Promise<void>;
  readonly #leaseMs: number;
  readonly #woken = new Condition();
  #isWoken = false;
  #countedAt = Number.NEGATIVE_INFINITY;
  #prunedAt = performance.now();

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#subscriptions = new Map(
      options.subscriptions.map((consumption) => [
        consumption.spec.event.topic,
        { ...consumption, slots: new Slots(consumption.spec.concurrency) },
      ]),
    );
    this.#leaseMs = Math.max(0, ...options.subscriptions.map(({ spec }) => spec.timeoutMs)) + LEASE_MARGIN_MS;
    this.#working = this.#retryQueues();
  }

  /** Settles records of one partition: each is handled, queued or a dead letter. Rejects if the database is away. */
  handle = async (records: readonly ReceivedRecord[], signal: AbortSignal): Promise<void> => {
    const { group } = this.#options;
    const queues = new Map<string, InboxRecord[]>();
    const floors = floorsOf(records);
    for (const record of records) {
      const { replaygroup, id } = record.attributes;
      if (replaygroup !== undefined && replaygroup !== group) continue;
      // A record without an id is known by its position.
      const named = id ? record : { ...record, attributes: { ...record.attributes, id: record.position } };
      const item = inboxRecordOf(group, named, placeOf(record, floors));
      const queue = `${record.topic}\n${item.queueKey}`;
      const before = queues.get(queue);
      if (before === undefined) queues.set(queue, [item]);
      else before.push(item);
    }
    const settled = await Promise.allSettled([...queues.values()].map((items) => this.#handleInOrder(items, signal)));
    for (const result of settled) if (result.status === "rejected") throw result.reason;
  };

  /** Waits for retries under way. Call it after the broker's subscriptions are closed. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await this.#working;
  }

  async #handleInOrder(items: readonly InboxRecord[], signal: AbortSignal): Promise<void> {
    for (const item of items) {
      const subscription = this.#subscriptions.get(item.record.topic);
      if (subscription === undefined) continue;
      await subscription.slots.run(async () => {
        signal.throwIfAborted();
        await this.#take(item, subscription);
      });
    }
  }

  async #take(item: InboxRecord, subscription: Subscription): Promise<void> {
    const { data, metrics } = this.#options;
    const { topic } = item.record;
    const handle = (tx: ConsumerContext["tx"]) => this.#call(item, subscription, 1, tx);
    const options = { repeatable: true, trace: () => this.#options.propagation.ofEvent(item.record.attributes) };
    try {
      const isHandled = await data.transaction(async (tx) => {
        if (!(await inboxStore.take(tx.db, item))) return false;
        await handle(tx);
        return true;
      }, options);
      if (isHandled) return this.#handled(item);
      const outcome = await data.transaction(async (tx) => {
        const queued = await inboxStore.enqueue(tx.db, item);
        if (queued === "first") await handle(tx);
        return queued;
      }, options);
      if (outcome === "first") this.#handled(item);
      else if (!outcome) metrics.repeated.with({ topic }).add();
    } catch (error) {
      if (isDatabaseOutage(error)) throw error;
      await this.#failed(item, 1, subscription.spec, error, (tx, delayMs, reason) =>
        inboxStore.parkKey(tx.db, item, delayMs, reason),
      );
    }
  }

  /** Notes a failure: the event waits for its next attempt, or goes to the dead letters. */
  async #failed(
    item: InboxRecord,
    attempt: number,
    { retry, deadLetter }: Pick<SubscriptionSpec, "retry" | "deadLetter">,
    error: unknown,
    queue: (tx: ConsumerContext["tx"], delayMs: number, reason: string) => Promise<QueuedRecord | undefined>,
  ): Promise<void> {
    const { data, log, metrics } = this.#options;
    const { topic, attributes } = item.record;
    const reason = reasonOf(error);
    const isLast = error instanceof Unprocessable || attempt >= (retry.maxAttempts ?? Number.POSITIVE_INFINITY);
    const delayMs = isLast ? 0 : backoffMs(attempt, retry);
    const queued = await data.transaction(async (tx) => {
      const record = await queue(tx, delayMs, reason);
      if (record !== undefined && isLast) {
        await inboxStore.deadLetter(tx.db, record, deadLetter === "park", reason);
      }
      return record;
    });
    if (queued === undefined) return;
    const fields = { topic, event: attributes.id, key: item.record.key, attempt, err: error };
    if (isLast) {
      metrics.dead.with({ topic }).add();
      log.error(fields, "an event failed for the last time and is a dead letter");
    } else {
      metrics.failed.with({ topic }).add();
      log.warn({ ...fields, againInMs: Math.round(delayMs) }, "an event failed and is retried");
      setTimeout(() => this.#wake(), delayMs).unref();
    }
  }

  #handled({ record: { topic, attributes } }: InboxRecord): void {
    const seconds = (Date.now() - Date.parse(attributes.time ?? "")) / 1000;
    // Another publisher may have left the time out, or written an invalid one.
    if (!Number.isNaN(seconds)) this.#options.metrics.latency.with({ topic }).record(Math.max(0, seconds));
  }

  /** Calls the handler, for as long as it may take. */
  async #call(
    item: InboxRecord,
    { spec, handler, upcasters }: Subscription,
    attempt: number,
    tx: ConsumerContext["tx"],
  ): Promise<void> {
    const { attributes, key } = item.record;
    const delivery: Delivery = {
      event: readEvent(spec.event, attributes, item.record.payload, upcasters),
      id: item.name.id,
      source: item.name.source,
      key,
      time: new Date(attributes.time ?? 0),
      attempt,
      replay: Number(item.name.replay),
      attributes,
    };
    const { propagation } = this.#options;
    const limit = timeLimit(spec.timeoutMs);
    // Signals are created on demand: they cost more than the rest of a call.
    const context: ConsumerContext = {
      tx,
      get signal() {
        return limit.signal;
      },
      get call() {
        return {
          signal: limit.signal,
          timeoutMs: spec.timeoutMs,
          headers: propagation.ofEvent(item.record.attributes),
        };
      },
    };
    try {
      await limit.within(runAs(limit.call, async () => handler(delivery, context)));
    } finally {
      limit.end();
    }
  }

  /** Retries the heads of queues as they become due, a few at a time, so that a slow one does not hold up the others. */
  async #retryQueues(): Promise<void> {
    const { data, group, log } = this.#options;
    const retrying = new Set<Promise<void>>();
    const report = (error: unknown) => {
      if (!isDatabaseOutage(error)) log.error({ err: error }, "failed events could not be retried");
    };
    while (!this.#closing.signal.aborted) {
      this.#isWoken = false;
      let idleMs = POLL_MS;
      try {
        while (retrying.size < RETRY_CONCURRENCY && !this.#closing.signal.aborted) {
          const head = await data.transaction((tx) => inboxStore.claim(tx.db, group, this.#leaseMs));
          if (head === undefined) break;
          const retry = this.#retry(head)
            .catch(report)
            .finally(() => {
              retrying.delete(retry);
              this.#wake();
            });
          retrying.add(retry);
        }
        await this.#prune();
        await this.#count();
        const hasRoom = retrying.size < RETRY_CONCURRENCY;
        const dueMs = hasRoom ? await data.transaction((tx) => inboxStore.nextDueMs(tx.db, group)) : undefined;
        if (dueMs !== undefined) idleMs = Math.min(POLL_MS, Math.max(10, dueMs));
      } catch (error) {
        report(error);
      }
      if (!this.#isWoken) await this.#idle(idleMs);
    }
    await Promise.all(retrying);
  }

  /** Looks for due heads again at once. */
  #wake(): void {
    this.#isWoken = true;
    this.#woken.tell();
  }

  /** Reports the numbers of waiting events and dead letters, once a second. */
  async #count(): Promise<void> {
    if (performance.now() - this.#countedAt < POLL_MS) return;
    this.#countedAt = performance.now();
    const { data, group, metrics } = this.#options;
    const { waiting, dead } = await data.transaction((tx) => inboxStore.count(tx.db, group));
    metrics.waiting.set(waiting);
    metrics.deadLetters.set(dead);
  }

  /** Makes the attempt at a queue's head that `claim` has begun. */
  async #retry(head: QueuedRecord): Promise<void> {
    const { data, group, metrics } = this.#options;
    const { topic } = head.record;
    const subscription = this.#subscriptions.get(topic);
    try {
      if (subscription === undefined) throw new Unprocessable(`${group} no longer consumes ${topic}`);
      await data.transaction(
        async (tx) => {
          await this.#call(head, subscription, head.attempts, tx);
          if (!(await inboxStore.finish(tx.db, head))) throw new Overtaken();
        },
        { trace: () => this.#options.propagation.ofEvent(head.record.attributes) },
      );
      this.#handled(head);
    } catch (error) {
      if (error instanceof Overtaken) metrics.repeated.with({ topic }).add();
      else if (isDatabaseOutage(error)) throw error;
      else {
        const { retry, deadLetter } = subscription?.spec ?? UNSUBSCRIBED;
        await this.#failed(head, head.attempts, { retry, deadLetter }, error, (tx, delayMs, reason) =>
          inboxStore.postpone(tx.db, head, delayMs, reason),
        );
      }
    }
  }

  /** Removes names from the inbox that no broker delivers again. */
  async #prune(): Promise<void> {
    if (performance.now() - this.#prunedAt < PRUNE_INTERVAL_MS) return;
    this.#prunedAt = performance.now();
    await this.#options.data.transaction((tx) =>
      tx.db.execute(
        sql`DELETE FROM "scaffold_inbox" WHERE "taken_at" < now() - ${keptMs(this.#options.subscriptions)} * interval '1 ms'`,
      ),
    );
  }

  async #idle(ms: number): Promise<void> {
    if (!this.#closing.signal.aborted) await this.#woken.change(ms);
  }
}

/** Returns how long a group's inbox remembers names and missing numbers, in milliseconds: longer than any broker or outbox keeps events. */
export function keptMs(subscriptions: readonly Consumption[]): number {
  return 2 * Math.max(0, ...subscriptions.map(({ spec }) => spec.event.retentionMs));
}

/** Rolls an attempt back because its lease ran out and another attempt at the event has begun. */
class Overtaken extends Error {}

/** For queued events of a topic that the group no longer consumes: they become dead letters, which may be redriven. */
const UNSUBSCRIBED: Pick<SubscriptionSpec, "retry" | "deadLetter"> = {
  retry: { maxAttempts: 1, initialBackoffMs: 0, maxBackoffMs: 0, backoffMultiplier: 1 },
  deadLetter: "skip",
};

/** Returns the time limit of one attempt: its signal, and the call that its statements and calls run for. */
function timeLimit(timeoutMs: number) {
  const call = new ActiveCall({ deadline: performance.now() + timeoutMs });
  let controller: AbortController | undefined;
  let error: Error | undefined;
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      error = new Error(`the handler took more than ${timeoutMs} ms`);
      controller?.abort(error);
      reject(error);
      call.cancel(error);
    }, timeoutMs);
  });
  return {
    /** The call that the handler's statements run for. */
    call,
    get signal(): AbortSignal {
      controller ??= new AbortController();
      if (error !== undefined) controller.abort(error);
      return controller.signal;
    },
    within: <T>(work: Promise<T>): Promise<T> => Promise.race([work, over]),
    end: () => clearTimeout(timer),
  };
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return plainText(text.slice(0, LONGEST_REASON));
}

/** Returns the lowest number of each source among records of one partition. */
function floorsOf(records: readonly ReceivedRecord[]): ReadonlyMap<string, string> {
  const floors = new Map<string, string>();
  for (const { attributes } of records) {
    const { source = "", topicnumber: number } = attributes;
    const floor = floors.get(source);
    if (isNumber(number) && (floor === undefined || BigInt(number) < BigInt(floor))) floors.set(source, number);
  }
  return floors;
}

function placeOf(
  { partition, attributes }: ReceivedRecord,
  floors: ReadonlyMap<string, string>,
): TopicPlace | undefined {
  const { source = "", topicnumber: number } = attributes;
  return isNumber(number) ? { number, partition, floor: floors.get(source) ?? number } : undefined;
}

/** Whether an attribute, which any publisher may have written, is a number that PostgreSQL's bigint holds. */
function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^[1-9]\d{0,17}$/.test(text);
}
