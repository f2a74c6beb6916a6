import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { sql } from "drizzle-orm";
import { type Propagation, standardPropagation } from "../call/propagation.js";
import { createMessage } from "../codec/create.js";
import { own } from "../codec/message.js";
import type { Data } from "../data/data.js";
import type { Logger } from "../observe/log.js";
import type { EventType, SubscriptionPolicy } from "../spec/event.js";
import type { ServiceSpec } from "../spec/service.js";
import type { Broker, BrokerSubscription, Topic } from "./broker.js";
import { Consumer, type Consumption, keptMs } from "./consumer.js";
import type { ConsumerHandler } from "./delivery.js";
import { schemaUri, upcastersOf } from "./evolution.js";
import type { EventMetrics } from "./metrics.js";
import { MissingEvents, type MissingTimes } from "./missing.js";
import type { Outbox } from "./outbox.js";
import { Relay } from "./relay.js";

export interface EventsOptions {
  readonly data: Data;
  /** Where its transactions leave what they publish; undefined if it publishes nothing. */
  readonly outbox?: Outbox | undefined;
  /** Undefined: nothing is passed on, and nothing comes. */
  readonly broker: Broker | undefined;
  readonly log: Logger;
  readonly metrics: EventMetrics;
  /** Which headers go on from the call that published to those that a consumer makes. Default: those that always do. */
  readonly propagation?: Propagation | undefined;
  /** What of subscriptions is otherwise than the contract says, by the names of their handlers. */
  readonly overrides?: Readonly<Record<string, Partial<SubscriptionPolicy>>>;
  /** How often lag and depth are looked at, in milliseconds. Default: 5000. */
  readonly lookMs?: number;
  /** When events are said to be missing. Default: see there. */
  readonly missing?: Partial<MissingTimes>;
}

/** What a service does with events. */
export interface EventService {
  readonly spec: Pick<ServiceSpec, "name" | "publishes" | "consumes">;
  /** What it does with the events that it consumes, by the names of its subscriptions. */
  readonly handlers: object;
  /** What it says of events that were published as an older version, by handler and version. Default: nothing. */
  readonly upcasters?: Readonly<Record<string, (old: never) => object>> | undefined;
}

/** A service's events, under way. */
export interface Events {
  /** Hands one event to its consumer, past the broker, and ends when it is settled. */
  deliver<D extends DescMessage>(event: EventType<D>, message: MessageInitShape<D>, id: string): Promise<void>;
  /** Takes no more events, and ends those under way. */
  stopConsuming(): Promise<void>;
  /** Passes on what was published, and ends. */
  close(): Promise<void>;
}

/** Begins to pass on what a service publishes, and to handle what it consumes. */
export function startEvents(service: EventService, options: EventsOptions): Events {
  const { data, outbox, broker, log, metrics, propagation = standardPropagation } = options;
  const { name, publishes } = service.spec;
  const subscriptions = subscriptionsOf(service, options);
  const consumer =
    subscriptions.length === 0
      ? undefined
      : new Consumer({ group: name, data, subscriptions, log, metrics, propagation });
  const relay =
    publishes === undefined || broker === undefined
      ? undefined
      : new Relay({
          url: () => data.primary(),
          service: name,
          broker,
          topics: publishes.map(({ event, groups }) => topicOf(event, groups)),
          log,
          metrics,
        });
  if (relay !== undefined && outbox !== undefined) outbox.wake = relay.wake;
  const consuming: BrokerSubscription[] =
    broker === undefined || consumer === undefined
      ? []
      : byBatch(subscriptions).map(([batch, topics]) =>
          broker.subscribe({ group: name, topics, batch, handle: consumer.handle }),
        );

  const topics = subscriptions.map(({ spec }) => spec.event.topic);
  const missing = new MissingEvents({
    group: name,
    data,
    topics,
    timeoutMs: Math.max(0, ...subscriptions.map(({ spec }) => spec.timeoutMs)),
    keptMs: keptMs(subscriptions),
    times: options.missing,
    log,
    metrics,
  });

  async function lookAtLag(): Promise<void> {
    if (broker === undefined || subscriptions.length === 0) return;
    const askedAt = performance.now();
    const lags = await broker.lag(name, topics);
    for (const [topic, lag] of lags) metrics.lag.with({ topic }).set(sum(lag));
    await missing.look(lags, askedAt);
  }
  async function lookAtDepth(): Promise<void> {
    if (publishes === undefined) return;
    const { rows } = await data.transaction((tx) =>
      tx.db.execute(sql`SELECT count(*)::integer AS "depth" FROM "scaffold_outbox"
        WHERE "position" IS NULL OR "position" > (SELECT "sent" FROM "scaffold_relay")`),
    );
    metrics.outboxDepth.set((rows[0] as { depth: number }).depth);
  }
  /**
   * A look that fails is not worth a word: whatever is wrong is said by those who need it. Neither waits for the other, for
   * what a broker that is away does not take is to be seen in the depth.
   */
  const look = () => void Promise.allSettled([lookAtLag(), lookAtDepth()]);
  const looking = setInterval(look, options.lookMs ?? 5000).unref();

  return {
    async deliver(event, init, id) {
      if (consumer === undefined) throw new Error(`${name} consumes nothing`);
      const message = createMessage(event.schema, init);
      const time = new Date().toISOString();
      const [type, dataschema] = [event.schema.typeName, schemaUri(event)];
      const attributes = { specversion: "1.0", id, source: "deliver", type, time, dataschema };
      const payload = event.codec.toBytes(message);
      const record = { topic: event.topic, key: event.key?.(message) ?? "", attributes, payload };
      await consumer.handle(
        [{ ...record, partition: 0, position: "0/0", redelivered: false }],
        new AbortController().signal,
      );
    },
    async stopConsuming() {
      await Promise.all(consuming.map((subscription) => subscription.close()));
      await consumer?.close();
    },
    async close() {
      clearInterval(looking);
      await relay?.close();
      outbox?.close();
      await broker?.close();
    },
  };
}

function subscriptionsOf(
  { spec, handlers: all, upcasters = {} }: EventService,
  { overrides = {} }: EventsOptions,
): Consumption[] {
  if (spec.consumes === undefined) return [];
  const unknown = Object.keys(overrides).filter((name) => !Object.hasOwn(spec.consumes ?? {}, name));
  if (unknown.length > 0) throw new Error(`${spec.name} consumes no ${unknown.join(", ")}`);
  const handlers = all as Record<string, ConsumerHandler>;
  return Object.entries(spec.consumes).map(([name, subscription]) => {
    const handler = handlers[name];
    if (handler === undefined) throw new Error(`${spec.name} has no handler ${name} for what it consumes`);
    return {
      spec: { ...subscription, ...own(overrides, name) },
      handler: (delivery, context) => handler.call(handlers, delivery, context),
      upcasters: upcastersOf(name, subscription.event, upcasters),
    };
  });
}

/** Topics that are taken in batches of one size share a subscription, and so connections. */
function byBatch(subscriptions: readonly Consumption[]): [batch: number, topics: Topic[]][] {
  const groups = new Map<number, Topic[]>();
  for (const { spec } of subscriptions) {
    const topics = groups.get(spec.batch) ?? [];
    topics.push(topicOf(spec.event, []));
    groups.set(spec.batch, topics);
  }
  return [...groups];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function topicOf({ topic, partitions, retentionMs }: EventType, groups: readonly string[]): Topic {
  return { name: topic, partitions, retentionMs, groups };
}
