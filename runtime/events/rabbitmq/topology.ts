import type { Channel } from "rabbitmq-client";
import type { Logger } from "../../observe/log.js";
import type { Topic } from "../broker.js";
import { type RabbitmqConnection, refusal } from "./connection.js";
import type { ExchangeType, RabbitmqSettings } from "./settings.js";

/** The longest that RabbitMQ lets a message live, in milliseconds (32 bits); what is to be kept for longer is kept for good. */
const LONGEST_TTL_MS = 2 ** 32 - 1;
/**
 * How often a message may be handed out. A restart counts for all that were in hand then, so this is far above RabbitMQ 4's
 * own 20: events are not to be dropped because services were deployed.
 */
const DELIVERY_LIMIT = 1_000_000;

/** The queue of one partition of a topic, for one group. */
export const queueOf = (topic: string, group: string, partition: number) => `${topic}:${group}:${partition}`;
/** The queue of nothing, of which each member of a group is a consumer, so that members can be counted. */
export const membersOf = (topic: string, group: string) => `${topic}:${group}:members`;
/** The queue of what RabbitMQ itself took out of a group's queues. */
export const droppedOf = (topic: string, group: string) => `${topic}:${group}:dropped`;
/** The exchange that brings it there. */
const dropExchangeOf = (topic: string) => `${topic}:dropped`;
/** The exchange behind a fanout exchange, which tells partitions apart. */
const partitionsOf = (topic: string) => `${topic}:partitions`;

/** Where a topic is published to. */
export const exchangeOf = ({ name }: RabbitmqSettings, topic: string) => name ?? topic;
export const routingKeyOf = (topic: string, partition: number) => `${topic}.${partition}`;
/** What a headers exchange tells partitions apart by. */
export const routingHeaders = (topic: string, partition: number) => ({ topic, partition: String(partition) });

/**
 * Makes a topic's exchange, its groups' queues and their bindings exist, and answers in how many partitions it is. What
 * is there already stays as it is. A user who may not make or bind them is expected to find them made and bound.
 */
export async function declareTopic(
  connection: RabbitmqConnection,
  settings: RabbitmqSettings,
  { name: topic, partitions, retentionMs, groups }: Topic,
  log?: Logger,
): Promise<number> {
  const declarations = new Declarations(connection, log);
  try {
    await declarations.exchange(exchangeOf(settings, topic), settings.type);
    if (settings.type === "fanout") await declarations.behindFanout(exchangeOf(settings, topic), partitionsOf(topic));
    if (groups.length > 0) await declarations.exchange(dropExchangeOf(topic), "direct");
    const existing = new Map<string, number>();
    for (const group of groups) existing.set(group, await declarations.count(topic, group));
    // A topic that is there keeps its size, for another would change where keys belong.
    const size = Math.max(0, ...existing.values()) || partitions;
    for (const group of groups) {
      await declarations.droppedQueue(topic, group);
      await declarations.queue(membersOf(topic, group), {});
      // The first comes last: if it is there, all are.
      for (let partition = size - 1; partition >= 0; partition--) {
        const queue = queueOf(topic, group, partition);
        if (partition >= existing.get(group)!)
          await declarations.queue(queue, queueArguments(topic, group, retentionMs));
        await declarations.bindPartition(settings, queue, topic, partition);
      }
    }
    return size;
  } finally {
    await declarations.close();
  }
}

/** How many messages are in each of the queues of a group, less those that its members have in hand. */
export async function countMessages(connection: RabbitmqConnection, topic: string, group: string): Promise<number[]> {
  const declarations = new Declarations(connection);
  try {
    for (const messages: number[] = []; ; ) {
      const found = await declarations.find(queueOf(topic, group, messages.length));
      if (found === undefined) return messages;
      messages.push(found);
    }
  } finally {
    await declarations.close();
  }
}

function queueArguments(topic: string, group: string, retentionMs: number): Record<string, unknown> {
  return {
    "x-single-active-consumer": true,
    "x-delivery-limit": DELIVERY_LIMIT,
    ...(retentionMs > 0 && retentionMs <= LONGEST_TTL_MS && { "x-message-ttl": retentionMs }),
    "x-dead-letter-exchange": dropExchangeOf(topic),
    "x-dead-letter-routing-key": group,
    // What is dropped leaves its queue once it is safe in the other, which RabbitMQ does for queues that refuse when full.
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
    // Else all queues of a cluster would be led by the node that they were declared at.
    "x-queue-leader-locator": "balanced",
  };
}

/** Declarations over one channel, and over a new one after each that RabbitMQ refused, for a refusal closes it. */
class Declarations {
  readonly #connection: RabbitmqConnection;
  readonly #log: Logger | undefined;
  #channel: Channel | undefined;

  constructor(connection: RabbitmqConnection, log?: Logger) {
    this.#connection = connection;
    this.#log = log;
  }

  async exchange(exchange: string, type: ExchangeType, internal = false): Promise<void> {
    try {
      await this.#try((channel) => channel.exchangeDeclare({ exchange, type, durable: true, internal }));
    } catch (error) {
      if (refusal(error) === "ACCESS_REFUSED") {
        await this.#try((channel) => channel.exchangeDeclare({ exchange, passive: true }));
      } else if (refusal(error) !== "PRECONDITION_FAILED") {
        throw error;
      } else if (/inequivalent arg 'type'/.test((error as Error).message)) {
        const message = `the exchange ${exchange} is there already, and of another type than ${type}: say which in the URL, as in amqp://…?exchange=fanout`;
        throw new Error(message, { cause: error });
      }
    }
  }

  /** A fanout exchange gives all to all, so what tells partitions apart is behind it. */
  async behindFanout(exchange: string, behind: string): Promise<void> {
    await this.exchange(behind, "direct", true);
    await this.#bind(behind, (channel) =>
      channel.exchangeBind({ source: exchange, destination: behind, routingKey: "" }),
    );
  }

  async queue(queue: string, extra: Record<string, unknown>): Promise<void> {
    if ((await this.find(queue)) !== undefined) return;
    try {
      await this.#try((channel) =>
        channel.queueDeclare({ queue, durable: true, arguments: { "x-queue-type": "quorum", ...extra } }),
      );
    } catch (error) {
      // Another made it a moment ago, from another version of the contract.
      if (refusal(error) !== "PRECONDITION_FAILED" || (await this.find(queue)) === undefined) throw error;
    }
  }

  async droppedQueue(topic: string, group: string): Promise<void> {
    const queue = droppedOf(topic, group);
    await this.queue(queue, {});
    const binding = { exchange: dropExchangeOf(topic), queue, routingKey: group };
    await this.#bind(queue, (channel) => channel.queueBind(binding));
  }

  async bindPartition(settings: RabbitmqSettings, queue: string, topic: string, partition: number): Promise<void> {
    const front = exchangeOf(settings, topic);
    const binding =
      settings.type === "headers"
        ? {
            exchange: front,
            queue,
            routingKey: "",
            arguments: { "x-match": "all", ...routingHeaders(topic, partition) },
          }
        : {
            exchange: settings.type === "fanout" ? partitionsOf(topic) : front,
            queue,
            routingKey: routingKeyOf(topic, partition),
          };
    await this.#bind(queue, (channel) => channel.queueBind(binding));
  }

  /** How many messages are ready in a queue; undefined: there is no such queue. */
  async find(queue: string): Promise<number | undefined> {
    try {
      return (await this.#try((channel) => channel.queueDeclare({ queue, passive: true }))).messageCount;
    } catch (error) {
      if (refusal(error) === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** How many partitions a group has queues for. */
  async count(topic: string, group: string): Promise<number> {
    for (let partition = 0; ; partition++) {
      if ((await this.find(queueOf(topic, group, partition))) === undefined) return partition;
    }
  }

  async close(): Promise<void> {
    await this.#channel?.close();
  }

  async #bind(what: string, call: (channel: Channel) => Promise<void>): Promise<void> {
    try {
      await this.#try(call);
    } catch (error) {
      if (refusal(error) !== "ACCESS_REFUSED") throw error;
      this.#log?.warn(
        { err: error, queue: what },
        "events: bindings stay as they are, for this user may not make them",
      );
    }
  }

  async #try<T>(call: (channel: Channel) => Promise<T>): Promise<T> {
    if (!this.#channel?.active) this.#channel = await this.#connection.channel();
    return call(this.#channel);
  }
}
