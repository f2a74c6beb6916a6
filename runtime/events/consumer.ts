import { sql } from "drizzle-orm";
import { ActiveCall, runAs } from "../call/active-call.js";
import { backoffMs } from "../call/backoff.js";
import { propagatedFrom } from "../call/propagation.js";
import type { Data } from "../data/data.js";
import { Condition } from "../data/postgres/condition.js";
import { isDatabaseOutage } from "../data/postgres/errors.js";
import { plainText } from "../data/postgres/plain-text.js";
import type { Logger } from "../observe/log.js";
import type { SubscriptionSpec } from "../spec/event.js";
import { custody, type Item, itemOf, type Place, type Waiting } from "./custody.js";
import { type ConsumerContext, type ConsumerHandler, type Delivery, Unprocessable } from "./delivery.js";
import { readEvent, type Upcasters } from "./evolution.js";
import type { EventMetrics } from "./metrics.js";
import type { ReceivedRecord } from "./record.js";
import { Slots } from "./slots.js";

/** What is done with the events of one type. */
export interface Consumption {
  readonly spec: SubscriptionSpec;
  readonly handler: ConsumerHandler;
  readonly upcasters: Upcasters;
}

export interface ConsumerOptions {
  /** Who consumes: the service's short name. */
  readonly group: string;
  readonly data: Data;
  readonly subscriptions: readonly Consumption[];
  readonly log: Logger;
  readonly metrics: EventMetrics;
}

/** How often lines are looked at that another process has left, in milliseconds. */
const POLL_MS = 1000;
const PRUNE_INTERVAL_MS = 60_000;
/** How many tries at most are made again at a time. */
const LANES = 4;
const LONGEST_REASON = 2000;
/** How much longer than its handler may take a try is waited for, in milliseconds. */
const LEASE_MARGIN_MS = 5000;

interface Subscription extends Consumption {
  readonly slots: Slots;
}

/**
 * Handles a group's events, each once: what its handler does in its transaction, and the note that it was taken, are
 * committed together. An event that fails waits in the group's own database, with all later ones of its key behind it,
 * until a try succeeds or the last one has failed; then it goes to the dead letters. So the broker is never held up by an
 * event, and all brokers behave alike.
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
    this.#working = this.#retryLines();
  }

  /** Settles records of one partition: they are handled, wait for another try, or are dead letters. Rejects during an outage. */
  handle = async (records: readonly ReceivedRecord[], signal: AbortSignal): Promise<void> => {
    const { group } = this.#options;
    const lines = new Map<string, Item[]>();
    const floors = floorsOf(records);
    for (const record of records) {
      const { replaygroup, id } = record.attributes;
      if (replaygroup !== undefined && replaygroup !== group) continue;
      // What has no name is known by its place.
      const named = id ? record : { ...record, attributes: { ...record.attributes, id: record.position } };
      const item = itemOf(group, named, placeOf(record, floors));
      const line = `${record.topic}\n${item.line}`;
      const before = lines.get(line);
      if (before === undefined) lines.set(line, [item]);
      else before.push(item);
    }
    const settled = await Promise.allSettled([...lines.values()].map((items) => this.#line(items, signal)));
    for (const result of settled) if (result.status === "rejected") throw result.reason;
  };

  /** Ends what is under way. Called after the broker hands nothing out any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await this.#working;
  }

  async #line(items: readonly Item[], signal: AbortSignal): Promise<void> {
    for (const item of items) {
      const subscription = this.#subscriptions.get(item.record.topic);
      if (subscription === undefined) continue;
      await subscription.slots.run(async () => {
        signal.throwIfAborted();
        await this.#take(item, subscription);
      });
    }
  }

  async #take(item: Item, subscription: Subscription): Promise<void> {
    const { data, metrics } = this.#options;
    const { topic } = item.record;
    const handle = (tx: ConsumerContext["tx"]) => this.#call(item, subscription, 1, tx);
    const options = { repeatable: true, trace: () => propagatedFrom(item.record.attributes) };
    try {
      const isHandled = await data.transaction(async (tx) => {
        if (!(await custody.take(tx.db, item))) return false;
        await handle(tx);
        return true;
      }, options);
      if (isHandled) return this.#handled(item);
      const outcome = await data.transaction(async (tx) => {
        const queued = await custody.queue(tx.db, item);
        if (queued === "first") await handle(tx);
        return queued;
      }, options);
      if (outcome === "first") this.#handled(item);
      else if (!outcome) metrics.repeated.with({ topic }).add();
    } catch (error) {
      if (isDatabaseOutage(error)) throw error;
      await this.#failed(item, 1, subscription.spec, error, (tx, pauseMs, reason) =>
        custody.park(tx.db, item, pauseMs, reason),
      );
    }
  }

  /** Notes a failure: the event waits for its next try, or is dead. */
  async #failed(
    item: Item,
    attempt: number,
    { retry, deadLetter }: SubscriptionSpec,
    error: unknown,
    note: (tx: ConsumerContext["tx"], pauseMs: number, reason: string) => Promise<Waiting | undefined>,
  ): Promise<void> {
    const { data, log, metrics } = this.#options;
    const { topic, attributes } = item.record;
    const reason = reasonOf(error);
    const isLast = error instanceof Unprocessable || attempt >= (retry.maxAttempts ?? Number.POSITIVE_INFINITY);
    const pauseMs = isLast ? 0 : backoffMs(attempt, retry);
    const waiting = await data.transaction(async (tx) => {
      const noted = await note(tx, pauseMs, reason);
      if (noted !== undefined && isLast) await custody.die(tx.db, noted, deadLetter === "park", reason);
      return noted;
    });
    if (waiting === undefined) return;
    const what = { topic, event: attributes.id, key: item.record.key, attempt, err: error };
    if (isLast) {
      metrics.dead.with({ topic }).add();
      log.error(what, "an event goes to the dead letters");
    } else {
      metrics.failed.with({ topic }).add();
      log.warn({ ...what, againInMs: Math.round(pauseMs) }, "an event failed, and is tried again");
      setTimeout(() => this.#wake(), pauseMs).unref();
    }
  }

  #handled({ record: { topic, attributes } }: Item): void {
    const seconds = (Date.now() - Date.parse(attributes.time ?? "")) / 1000;
    // Another publisher may have left the time out, or written an invalid one.
    if (!Number.isNaN(seconds)) this.#options.metrics.latency.with({ topic }).record(Math.max(0, seconds));
  }

  /** Calls the handler, for as long as it may take. */
  async #call(
    item: Item,
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
    const limit = timeLimit(spec.timeoutMs);
    // Made when it is asked for: signals cost more than the rest of a call.
    const context: ConsumerContext = {
      tx,
      get signal() {
        return limit.signal;
      },
      get call() {
        return { signal: limit.signal, timeoutMs: spec.timeoutMs, headers: propagatedFrom(item.record.attributes) };
      },
    };
    try {
      await limit.within(runAs(limit.call, async () => handler(delivery, context)));
    } finally {
      limit.end();
    }
  }

  /** Tries again what waits, line by line, whenever its time has come, and a few side by side: none waits for another's end. */
  async #retryLines(): Promise<void> {
    const { data, group, log } = this.#options;
    const trying = new Set<Promise<void>>();
    const report = (error: unknown) => {
      if (!isDatabaseOutage(error)) log.error({ err: error }, "what waits could not be tried again");
    };
    while (!this.#closing.signal.aborted) {
      this.#isWoken = false;
      let pauseMs = POLL_MS;
      try {
        while (trying.size < LANES && !this.#closing.signal.aborted) {
          const waiting = await data.transaction((tx) => custody.claim(tx.db, group, this.#leaseMs));
          if (waiting === undefined) break;
          const trial = this.#retry(waiting)
            .catch(report)
            .finally(() => {
              trying.delete(trial);
              this.#wake();
            });
          trying.add(trial);
        }
        await this.#prune();
        await this.#count();
        const dueMs = trying.size < LANES && (await data.transaction((tx) => custody.nextDueMs(tx.db, group)));
        if (typeof dueMs === "number") pauseMs = Math.min(POLL_MS, Math.max(10, dueMs));
      } catch (error) {
        report(error);
      }
      if (!this.#isWoken) await this.#pause(pauseMs);
    }
    await Promise.all(trying);
  }

  /** Something may be due that was not a moment ago. */
  #wake(): void {
    this.#isWoken = true;
    this.#woken.tell();
  }

  /** Tells how much waits, and how much is dead, now and then. */
  async #count(): Promise<void> {
    if (performance.now() - this.#countedAt < POLL_MS) return;
    this.#countedAt = performance.now();
    const { data, group, metrics } = this.#options;
    const { waiting, dead } = await data.transaction((tx) => custody.count(tx.db, group));
    metrics.waiting.set(waiting);
    metrics.deadLetters.set(dead);
  }

  /** Tries the head of a line, which is claimed. */
  async #retry(waiting: Waiting): Promise<void> {
    const { data, group, metrics } = this.#options;
    const { topic } = waiting.record;
    const subscription = this.#subscriptions.get(topic);
    try {
      if (subscription === undefined) throw new Unprocessable(`${group} no longer consumes ${topic}`);
      await data.transaction(
        async (tx) => {
          await this.#call(waiting, subscription, waiting.attempts, tx);
          if (!(await custody.finish(tx.db, waiting))) throw new Overtaken();
        },
        { trace: () => propagatedFrom(waiting.record.attributes) },
      );
      this.#handled(waiting);
    } catch (error) {
      if (error instanceof Overtaken) metrics.repeated.with({ topic }).add();
      else if (isDatabaseOutage(error)) throw error;
      else {
        await this.#failed(waiting, waiting.attempts, subscription?.spec ?? given, error, (tx, pauseMs, reason) =>
          custody.postpone(tx.db, waiting, pauseMs, reason),
        );
      }
    }
  }

  /** Forgets names that no broker brings again. */
  async #prune(): Promise<void> {
    if (performance.now() - this.#prunedAt < PRUNE_INTERVAL_MS) return;
    this.#prunedAt = performance.now();
    await this.#options.data.transaction((tx) =>
      tx.db.execute(
        sql`DELETE FROM "scaffold_inbox" WHERE "taken_at" < now() - ${keptMs(this.#options.subscriptions)} * interval '1 ms'`,
      ),
    );
  }

  async #pause(ms: number): Promise<void> {
    if (!this.#closing.signal.aborted) await this.#woken.change(ms);
  }
}

/** For how long a group remembers what it took, or what it misses, in milliseconds: longer than any broker or outbox has it. */
export function keptMs(subscriptions: readonly Consumption[]): number {
  return 2 * Math.max(0, ...subscriptions.map(({ spec }) => spec.event.retentionMs));
}

/** Another process has begun to handle the same event, since this one took so long. What was done here is not to be. */
class Overtaken extends Error {}

/** For what nobody consumes any more: it is given up, and may be redriven. */
const given = {
  retry: { maxAttempts: 1, initialBackoffMs: 0, maxBackoffMs: 0, backoffMultiplier: 1 },
  deadLetter: "skip",
} as SubscriptionSpec;

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
    /** What its statements are run for. */
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

/** The lowest number of each source among records of one partition. */
function floorsOf(records: readonly ReceivedRecord[]): ReadonlyMap<string, string> {
  const floors = new Map<string, string>();
  for (const { attributes } of records) {
    const { source = "", topicnumber: number } = attributes;
    const floor = floors.get(source);
    if (isNumber(number) && (floor === undefined || BigInt(number) < BigInt(floor))) floors.set(source, number);
  }
  return floors;
}

function placeOf({ partition, attributes }: ReceivedRecord, floors: ReadonlyMap<string, string>): Place | undefined {
  const { source = "", topicnumber: number } = attributes;
  return isNumber(number) ? { number, partition, floor: floors.get(source) ?? number } : undefined;
}

/** Whether it is one that PostgreSQL's bigint holds: anybody may have written it. */
function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^[1-9]\d{0,17}$/.test(text);
}
