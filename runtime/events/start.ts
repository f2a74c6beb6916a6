import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { sql } from "drizzle-orm";
import { createMessage } from "../codec/create.js";
import { own } from "../codec/message.js";
import type { Data } from "../data/data.js";
import type { Logger } from "../observe/log.js";
import type { Metrics } from "../observe/metrics.js";
import type { Sagas } from "../saga/engine.js";
import { resourcesOf } from "../service/assemble.js";
import type { ServiceDefinition } from "../service/define.js";
import type { EventType, SubscriptionPolicy } from "../spec/event.js";
import type { Broker, BrokerSubscription, Topic } from "./broker.js";
import { Consumer, type Consumption, keptMs } from "./consumer.js";
import type { ConsumerHandler } from "./delivery.js";
import { schemaUri, upcastersOf } from "./evolution.js";
import { MissingEvents, type MissingTimes } from "./missing.js";
import { Relay } from "./relay.js";

export interface EventsOptions {
  readonly data: Data;
  /** Undefined: nothing is passed on, and nothing comes. */
  readonly broker: Broker | undefined;
  /** Clients of the services that it calls, by the names that its handlers use. */
  readonly peers: Readonly<Record<string, unknown>>;
  /** Its sagas, which its handlers may start. Default: none. */
  readonly sagas?: Sagas | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** What of subscriptions is otherwise than the contract says, by the names of their handlers. */
  readonly overrides?: Readonly<Record<string, Partial<SubscriptionPolicy>>>;
  /** How often lag and depth are looked at, in milliseconds. Default: 5000. */
  readonly lookMs?: number;
  /** When events are said to be missing. Default: see there. */
  readonly missing?: Partial<MissingTimes>;
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
export function startEvents(definition: ServiceDefinition, options: EventsOptions): Events {
  const { data, broker, log, metrics } = options;
  const { name, publishes } = definition.spec;
  const subscriptions = subscriptionsOf(definition, options);
  const consumer =
    subscriptions.length === 0 ? undefined : new Consumer({ group: name, data, subscriptions, log, metrics });
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
  if (relay !== undefined && data.outbox !== undefined) data.outbox.wake = relay.wake;
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
    for (const [topic, lag] of lags) metrics.eventsLag(topic, sum(lag));
    await missing.look(lags, askedAt);
  }
  async function lookAtDepth(): Promise<void> {
    if (publishes === undefined) return;
    const { rows } = await data.transaction((tx) =>
      tx.db.execute(sql`SELECT count(*)::integer AS "depth" FROM "scaffold_outbox"
        WHERE "position" IS NULL OR "position" > (SELECT "sent" FROM "scaffold_relay")`),
    );
    metrics.outboxDepth((rows[0] as { depth: number }).depth);
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
      await broker?.close();
    },
  };
}

function subscriptionsOf(
  { spec, consume, upcasters = {} }: ServiceDefinition,
  { overrides = {}, ...parts }: EventsOptions,
): Consumption[] {
  if (spec.consumes === undefined) return [];
  const unknown = Object.keys(overrides).filter((name) => !Object.hasOwn(spec.consumes ?? {}, name));
  if (unknown.length > 0) throw new Error(`${spec.name} consumes no ${unknown.join(", ")}`);
  const handlers = (consume?.(resourcesOf(parts)) ?? {}) as Record<string, ConsumerHandler>;
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
