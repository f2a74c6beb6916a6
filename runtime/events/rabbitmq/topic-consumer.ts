import { jittered } from "../../call/backoff.js";
import type { Logger } from "../../observe/log.js";
import type { SubscribeOptions, Topic } from "../broker.js";
import type { RabbitmqConnection } from "./connection.js";
import { backOff, pause } from "./pause.js";
import { QueueConsumer } from "./queue-consumer.js";
import type { RabbitmqSettings } from "./settings.js";
import { declareTopic, membersOf, queueOf } from "./topology.js";

export interface TopicConsumerOptions extends Pick<SubscribeOptions, "group" | "batch" | "handle"> {
  readonly connection: RabbitmqConnection;
  readonly settings: RabbitmqSettings;
  readonly topic: Topic;
  readonly log: Logger | undefined;
}

/** How often members are counted, in milliseconds. */
const COUNT_INTERVAL_MS = 1000;

/**
 * Consumes one topic as a member of a group. Every member subscribes to every queue, and RabbitMQ lets the first one consume all of
 * them (single active consumer). A member with more than its share gives queues back, and the next member gets them.
 */
export class TopicConsumer {
  readonly #options: TopicConsumerOptions;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #consumers: readonly QueueConsumer[] = [];
  #declared: Promise<number> | undefined;
  #settled: () => void = () => undefined;
  readonly ready = new Promise<void>((resolve) => {
    this.#settled = resolve;
  });

  constructor(options: TopicConsumerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  get topic(): string {
    return this.#options.topic.name;
  }

  /** Returns the number of unsettled messages that this member has of a partition. */
  inHand(partition: number): number {
    return this.#consumers[partition]?.inHand ?? 0;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { topic, group, log } = this.#options;
    for (let failures = 0; !this.#closing.signal.aborted; ) {
      try {
        const size = await this.#declare();
        if (this.#closing.signal.aborted) break;
        this.#consumers = Array.from({ length: size }, (_, partition) => this.#consumer(partition));
        break;
      } catch (error) {
        if (failures++ === 0)
          log?.warn({ err: error, group, topic: topic.name }, "events wait: there are no queues yet");
        await backOff(failures, this.#closing.signal);
      }
    }
    void Promise.all(this.#consumers.map(({ ready }) => ready)).then(this.#settled);
    await this.#share();
  }

  #consumer(partition: number): QueueConsumer {
    const { connection, topic, group, batch, handle, log } = this.#options;
    return new QueueConsumer({
      connection,
      queue: queueOf(topic.name, group, partition),
      topic: topic.name,
      partition,
      group,
      batch,
      handle,
      log,
      declare: () => this.#declare(),
      missing: () => {
        this.#declared = undefined;
      },
    });
  }

  /** Declares the topic with its groups, once for all queues. A failure or a missing queue has it declared again. */
  #declare(): Promise<number> {
    if (this.#declared === undefined) {
      const { connection, settings, topic, group, log } = this.#options;
      const groups = [...new Set([...topic.groups, group])];
      const declared = declareTopic(connection, settings, { ...topic, groups }, log);
      this.#declared = declared;
      declared.catch(() => {
        if (this.#declared === declared) this.#declared = undefined;
      });
    }
    return this.#declared;
  }

  async #share(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      // While members cannot be counted, each keeps its queues.
      await this.#count().catch(() => undefined);
      await pause(COUNT_INTERVAL_MS, this.#closing.signal);
    }
  }

  /** Counts members over one channel, for as long as the channel lasts. */
  async #count(): Promise<void> {
    const { connection, topic, group } = this.#options;
    const queue = membersOf(topic.name, group);
    const channel = await connection.channel();
    try {
      await channel.basicConsume({ queue, noAck: true }, () => undefined);
      while (!this.#closing.signal.aborted) {
        const { consumerCount } = await channel.queueDeclare({ queue, passive: true });
        const share = Math.ceil(this.#consumers.length / Math.max(1, consumerCount));
        for (const consumer of this.#consumers.filter(({ isActive }) => isActive).slice(share)) consumer.giveBack();
        await pause(jittered(COUNT_INTERVAL_MS), this.#closing.signal);
      }
    } finally {
      void channel.close();
    }
  }
}
