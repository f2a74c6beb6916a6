import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { type UserRegisteredSchema, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { type Data, openData } from "../../runtime/data/data.js";
import type { ConsumerContext, Delivery } from "../../runtime/events/delivery.js";
import { openBroker } from "../../runtime/events/open.js";
import { startEvents } from "../../runtime/events/start.js";
import { createLogger } from "../../runtime/observe/log.js";
import { Metrics } from "../../runtime/observe/metrics.js";
import { defineService } from "../../runtime/rpc/service.js";
import type { Parts, Pipeline } from "./pipeline.js";

interface Entities {
  readonly products: ProductRepository;
}
type Registered = typeof UserRegisteredSchema;
type Handler = (delivery: Delivery<Registered>, context: ConsumerContext<Entities>) => Promise<void>;

/** The outbox, the relay and the consumer of the runtime. */
export async function ours(parts: Parts): Promise<Pipeline> {
  const { producerUrl, consumerUrl, brokerUrl, partitions, topic, consumers } = parts;
  const event = { ...userRegistered, topic, partitions };
  const log = createLogger({ name: "bench", level: "warn" });
  const entities = { products: { entity: productEntity } };
  const open = (url: string) =>
    openData<Entities>({ url, service: "bench", source: UserService.typeName, entities }) as unknown as Data<
      Entities,
      Registered
    >;
  const pipeline: Pipeline = {
    async publish(key, text) {
      await producer.transaction(async (tx) => {
        await tx.products.create({ name: text });
        await tx.publish(event, { userId: key, email: text });
      });
    },
    handled: () => undefined,
    async close() {
      for (const part of [...running].reverse()) {
        await part.events.stopConsuming();
        await part.events.close();
        await part.data.close();
      }
    },
  };
  const running: { events: ReturnType<typeof startEvents>; data: Data<Entities, Registered> }[] = [];
  const texts = new WeakMap<object, string>();
  /** Tells of each handler's transaction once it is committed. */
  const told = (data: Data<Entities, Registered>): Data<Entities, Registered> => ({
    ...data,
    async transaction(body, options) {
      let last: object | undefined;
      const result = await data.transaction((tx) => {
        last = tx;
        return body(tx);
      }, options);
      const text = last && texts.get(last);
      if (text !== undefined) pipeline.handled(text);
      return result;
    },
  });
  const start = async (data: Data<Entities, Registered>, role: "publishes" | "consumes") => {
    const subscription = {
      event,
      concurrency: 16,
      batch: 100,
      timeoutMs: 30_000,
      retry: { maxAttempts: 3, initialBackoffMs: 100, maxBackoffMs: 100, backoffMultiplier: 1 },
      deadLetter: "skip" as const,
    };
    const define = defineService<object, never, Entities, object, { registered: Handler }>({
      service: UserService,
      name: "bench",
      policy: {},
      codecs: [],
      entities: {},
      peers: {},
      standard: {},
      ...(role === "publishes"
        ? { publishes: [{ event, groups: ["bench"] }] }
        : { consumes: { registered: subscription } }),
    });
    const definition = define(
      () => ({}),
      () => ({
        async registered({ event: { email } }, { tx }) {
          await tx.products.create({ name: email });
          texts.set(tx, email);
        },
      }),
    );
    const metrics = new Metrics("bench");
    const broker = await openBroker(brokerUrl, { service: "bench", log });
    const events = startEvents(definition, { data: told(data) as unknown as Data, broker, peers: {}, log, metrics });
    running.push({ events, data });
  };
  const producer = open(producerUrl);
  await start(producer, "publishes");
  for (let n = 0; n < consumers; n++) await start(open(consumerUrl), "consumes");
  return pipeline;
}
