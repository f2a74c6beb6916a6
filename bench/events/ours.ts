import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { type UserRegisteredSchema, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import type { Data } from "../../runtime/data/data.js";
import type { ConsumerContext, Delivery } from "../../runtime/events/delivery.js";
import { EventMetrics } from "../../runtime/events/metrics.js";
import { openBroker } from "../../runtime/events/open.js";
import { openPublishing } from "../../runtime/events/outbox.js";
import { startEvents } from "../../runtime/events/start.js";
import { createLogger } from "../../runtime/observe/log.js";
import { createTelemetry } from "../../runtime/observe/prometheus.js";
import { defineService } from "../../runtime/service/define.js";
import type { Parts, Pipeline } from "./pipeline.js";

interface Entities {
  readonly products: ProductRepository;
}
type Registered = typeof UserRegisteredSchema;
type Handler = (delivery: Delivery<Registered>, context: ConsumerContext<Entities>) => Promise<void>;

/** One end of the way, under way. */
interface End {
  readonly data: Data<Entities, Registered>;
  close(): Promise<void>;
}

/** The outbox, the relay and the consumer of the runtime. */
export async function ours(parts: Parts): Promise<Pipeline> {
  const pipeline: Pipeline = {
    async publish(key, text) {
      await producer.data.transaction(async (tx) => {
        await tx.products.create({ name: text, priceCents: 1n });
        await tx.publish(event, { userId: key, email: text });
      });
    },
    handled: () => undefined,
    async close() {
      await Promise.all(consumers.map((consumer) => consumer.close()));
      await producer.close();
    },
  };
  const event = eventOf(parts);
  const producer = await start(parts, parts.producerUrl, undefined);
  const consumers: { close(): Promise<void> }[] = [];
  const begin = parts.apart ? consumeApart : consume;
  for (let n = 0; n < parts.consumers; n++) consumers.push(await begin(parts, (text) => pipeline.handled(text)));
  return pipeline;
}

/** A consumer whose handler writes a row; `handled` is told each event's text once that is committed. */
export function consume(parts: Parts, handled: (text: string) => void): Promise<End> {
  return start(parts, parts.consumerUrl, async ({ event: { email } }, { tx }) => {
    await tx.products.create({ name: email, priceCents: 1n });
    tx.afterCommit(() => handled(email));
  });
}

/** The same in a process of its own. */
async function consumeApart(parts: Parts, handled: (text: string) => void): Promise<{ close(): Promise<void> }> {
  const program = fileURLToPath(new URL("consumer.mjs", import.meta.url));
  const child: ChildProcess = fork(program, [JSON.stringify(parts)]);
  child.on("message", (texts) => {
    for (const text of texts as string[]) handled(text);
  });
  const [first] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (!Array.isArray(first)) throw new Error("a consumer in a process of its own did not start");
  return {
    async close() {
      const gone = once(child, "exit");
      child.disconnect();
      await gone;
    },
  };
}

function eventOf({ topic, partitions }: Parts) {
  return { ...userRegistered, topic, partitions };
}

/** Consumes with a handler, or publishes. */
async function start(parts: Parts, url: string, handler: Handler | undefined): Promise<End> {
  const event = eventOf(parts);
  const log = createLogger({ name: "bench", level: "error" });
  const entities = { products: { entity: productEntity } };
  const opened = openPublishing<Entities>(UserService.typeName, { url, service: "bench", entities, prepares: true });
  const data = opened.data as unknown as Data<Entities, Registered>;
  const subscription = {
    event,
    concurrency: 16,
    batch: 100,
    timeoutMs: 30_000,
    retry: { maxAttempts: 3, initialBackoffMs: 100, maxBackoffMs: 100, backoffMultiplier: 1 },
    deadLetter: "skip" as const,
  };
  const define = defineService<{
    handler: object;
    standard: never;
    entities: Entities;
    peers: object;
    consumers: { registered: Handler };
  }>({
    service: UserService,
    name: "bench",
    policy: {},
    codecs: [],
    entities: {},
    peers: {},
    standard: {},
    ...(handler === undefined
      ? { publishes: [{ event, groups: ["bench"] }] }
      : { consumes: { registered: subscription } }),
  });
  const handlers = { registered: handler ?? (async () => undefined) };
  const { spec } = define({ consumers: () => handlers });
  const broker = await openBroker(parts.brokerUrl, { service: "bench", log });
  const metrics = new EventMetrics(createTelemetry("bench"));
  const events = startEvents(
    { spec, handlers },
    { data: data as unknown as Data, outbox: opened.outbox, broker, log, metrics },
  );
  return {
    data,
    async close() {
      await events.stopConsuming();
      await events.close();
      await data.close();
    },
  };
}
