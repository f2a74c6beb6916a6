import type { Logger } from "../../observe/log.js";
import type { BrokerSubscription, SubscribeOptions } from "../broker.js";
import type { RabbitmqConnection } from "./connection.js";
import type { RabbitmqSettings } from "./settings.js";
import { TopicConsumer } from "./topic-consumer.js";

export interface RabbitmqSubscriptionOptions extends SubscribeOptions {
  readonly connection: RabbitmqConnection;
  readonly settings: RabbitmqSettings;
  readonly log: Logger | undefined;
  /** Is told when it is closed. */
  closed(subscription: RabbitmqSubscription): void;
}

/** One member of a group, over RabbitMQ. */
export class RabbitmqSubscription implements BrokerSubscription {
  readonly group: string;
  readonly #consumers: readonly TopicConsumer[];
  readonly #closed: (subscription: RabbitmqSubscription) => void;

  constructor({ topics, closed, ...options }: RabbitmqSubscriptionOptions) {
    this.group = options.group;
    this.#closed = closed;
    this.#consumers = topics.map((topic) => new TopicConsumer({ ...options, topic }));
  }

  async ready(): Promise<void> {
    await Promise.all(this.#consumers.map(({ ready }) => ready));
  }

  /** How many events of a partition this member has in hand, which its queue does not count. */
  inHand(topic: string, partition: number): number {
    return this.#consumers.filter((one) => one.topic === topic).reduce((sum, one) => sum + one.inHand(partition), 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
    this.#closed(this);
  }
}
