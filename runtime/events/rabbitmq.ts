import type { Logger } from "../observe/log.js";
import type { Broker, SubscribeOptions } from "./broker.js";
import { loadLibrary, RabbitmqConnection } from "./rabbitmq/connection.js";
import { within } from "./rabbitmq/pause.js";
import { RabbitmqPublisher } from "./rabbitmq/publisher.js";
import { readSettings } from "./rabbitmq/settings.js";
import { RabbitmqSubscription } from "./rabbitmq/subscription.js";
import { countMessages } from "./rabbitmq/topology.js";

export interface RabbitmqOptions {
  /** Names the connections in RabbitMQ's own lists. */
  readonly service: string;
  readonly log?: Logger;
}

/** How long what is being published is waited for when the broker is closed, in milliseconds. */
const LAST_CONFIRMS_MS = 5000;

/**
 * RabbitMQ, 3.10 or later: an exchange for each topic, and for each group a quorum queue for each partition, which one member at a
 * time consumes. Publishing ends when RabbitMQ confirms; events are acknowledged when they are handled. It connects when
 * it is first needed, and again whenever a connection breaks.
 *
 * @param url `amqp://user:password@host:port/vhost`, or `amqps://` for TLS; `?exchange=topic`, `direct`, `fanout` or
 *   `headers` says of which type the exchanges are, `&exchange_name=…` that one serves all topics
 * @throws TypeError if it is no such URL; Error if the package rabbitmq-client, an optional peer of this one, is not installed
 */
export async function openRabbitmq(url: string, { service, log }: RabbitmqOptions): Promise<Broker> {
  const settings = readSettings(url);
  const library = await loadLibrary();
  const open = (what: string) =>
    new RabbitmqConnection(library, { url: settings.url, name: `${service} (${what})`, log });
  // RabbitMQ stops reading from connections that publish when it is short of memory; acknowledgements are to go on.
  const [toPublish, toConsume] = [open("publisher"), open("consumer")];
  const publisher = new RabbitmqPublisher(toPublish, settings, log);
  const publishing = new Set<Promise<void>>();
  const subscriptions = new Set<RabbitmqSubscription>();

  return {
    system: "rabbitmq",
    declare: (topics) => publisher.declare(topics),
    async publish(records) {
      if (records.length === 0) return;
      const done = publisher.publish(records);
      publishing.add(done);
      await done.finally(() => publishing.delete(done));
    },
    subscribe(options: SubscribeOptions) {
      const subscription = new RabbitmqSubscription({
        ...options,
        connection: toConsume,
        settings,
        log,
        closed: (one) => subscriptions.delete(one),
      });
      subscriptions.add(subscription);
      return subscription;
    },
    async lag(group, topics) {
      const own = [...subscriptions].filter((subscription) => subscription.group === group);
      const counts = topics.map(async (topic) => {
        const waiting = await countMessages(toConsume, topic, group);
        const lag = waiting.map((messages, partition) =>
          own.reduce((sum, subscription) => sum + subscription.inHand(topic, partition), messages),
        );
        return [topic, lag] as const;
      });
      return new Map(await Promise.all(counts));
    },
    async close() {
      await within(LAST_CONFIRMS_MS, Promise.allSettled(publishing));
      publisher.close();
      await Promise.all([toPublish.close(), toConsume.close()]);
    },
  };
}
