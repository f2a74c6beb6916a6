import { setImmediate as nextTurn } from "node:timers/promises";
import type { Channel, Envelope } from "rabbitmq-client";
import type { Logger } from "../../observe/log.js";
import { RecordRefused, type Topic } from "../broker.js";
import { partitionOf } from "../partition.js";
import type { EventRecord } from "../record.js";
import { type RabbitmqConnection, refusal } from "./connection.js";
import { propertiesOf } from "./message.js";
import { within } from "./pause.js";
import type { RabbitmqSettings } from "./settings.js";
import { declareTopic, exchangeOf, routingHeaders, routingKeyOf } from "./topology.js";

/** A queue that does not answer by then is tried anew, over another channel. */
const CONFIRM_TIMEOUT_MS = 30_000;

/** A channel that RabbitMQ confirms what it keeps on. */
interface Session {
  readonly channel: Channel;
  /** Where messages were sent that no queue took. */
  readonly returned: Set<string>;
  /** Ends a moment after the channel did, when all who wait for it have been told why. */
  readonly gone: Promise<void>;
}

/** Publishes in order, and knows what RabbitMQ has confirmed. */
export class RabbitmqPublisher {
  readonly #connection: RabbitmqConnection;
  readonly #settings: RabbitmqSettings;
  readonly #log: Logger | undefined;
  readonly #topics = new Map<string, Topic>();
  /** In how many partitions topics are that were found on RabbitMQ, or made, since the last channel was lost. */
  readonly #sizes = new Map<string, number>();
  #session: Promise<Session> | undefined;
  /** The largest message that RabbitMQ takes, in bytes, once it has refused one. */
  #largest = Number.POSITIVE_INFINITY;
  #spread = 0;

  constructor(connection: RabbitmqConnection, settings: RabbitmqSettings, log: Logger | undefined) {
    this.#connection = connection;
    this.#settings = settings;
    this.#log = log;
  }

  async declare(topics: readonly Topic[]): Promise<void> {
    for (const topic of topics) {
      const groups = new Set([...(this.#topics.get(topic.name)?.groups ?? []), ...topic.groups]);
      this.#topics.set(topic.name, { ...topic, groups: [...groups] });
      this.#sizes.delete(topic.name);
    }
    await this.#declareMissing();
  }

  /** @throws RecordRefused if RabbitMQ takes no message of such a size, or attributes of such a size */
  async publish(records: readonly EventRecord[]): Promise<void> {
    const large = records.findIndex(({ payload }) => payload.length > this.#largest);
    if (large >= 0) throw this.#refused(records, large);
    const session = this.#open();
    const { channel, returned, gone } = await session;
    // What is written now would only lie in memory.
    if (this.#connection.blocked !== undefined) throw new Error(`RabbitMQ takes none: ${this.#connection.blocked}`);
    const envelopes = records.map((record) => this.#envelope(record));
    const confirms = records.map(({ payload: { buffer, byteOffset, byteLength } }, index) =>
      channel.basicPublish(envelopes[index] as Envelope, Buffer.from(buffer, byteOffset, byteLength)),
    );
    const settled = Promise.allSettled(confirms);
    if (!(await within(CONFIRM_TIMEOUT_MS, Promise.race([settled, gone])))) {
      this.#forget(session);
      void channel.close();
      const topics = [...new Set(records.map(({ topic }) => topic))].join(", ");
      throw new Error(`RabbitMQ did not confirm events of ${topics} within ${CONFIRM_TIMEOUT_MS / 1000} s`);
    }
    const outcomes = await Promise.race([settled, gone]);
    if (!channel.active) this.#forget(session);
    if (outcomes === undefined) throw new Error("the connection to RabbitMQ was lost before it confirmed");
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "rejected") throw this.#explain(records, index, outcome.reason);
    }
    // A message that no queue took is returned before it is confirmed, but the library tells of it a turn later.
    await nextTurn();
    const nowhere = envelopes.find((envelope) => returned.has(addressOf(envelope)));
    if (nowhere === undefined) return;
    // Somebody removed a queue or a binding: a new channel begins by looking after them.
    this.#forget(session);
    void channel.close();
    throw new Error(`no queue takes what is published to ${addressOf(nowhere)}`);
  }

  /** Begins to leave; the connection's own end waits for it. */
  close(): void {
    this.#session?.then(
      ({ channel }) => channel.close(),
      () => undefined,
    );
  }

  /** A channel, and on it all topics, as declared; the same one until it is lost. */
  #open(): Promise<Session> {
    if (this.#session === undefined) {
      const session = this.#begin();
      this.#session = session;
      session.then(
        ({ gone }) => gone.then(() => this.#forget(session)),
        () => this.#forget(session),
      );
    }
    return this.#session;
  }

  #forget(session: Promise<Session>): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#sizes.clear();
  }

  async #begin(): Promise<Session> {
    await this.#declareMissing();
    const channel = await this.#connection.channel();
    const gone = new Promise<void>((resolve) => {
      channel.once("close", () => setImmediate(resolve));
    });
    const returned = new Set<string>();
    channel.on("basic.return", (message) => returned.add(addressOf(message)));
    await channel.confirmSelect();
    return { channel, returned, gone };
  }

  async #declareMissing(): Promise<void> {
    const missing = [...this.#topics.values()].filter(({ name }) => !this.#sizes.has(name));
    await Promise.all(
      missing.map(async (topic) => {
        const size = await declareTopic(this.#connection, this.#settings, topic, this.#log);
        this.#sizes.set(topic.name, size);
      }),
    );
  }

  #envelope(record: EventRecord): Envelope {
    const topic = this.#topics.get(record.topic);
    const size = this.#sizes.get(record.topic);
    if (topic === undefined || size === undefined) throw new Error(`the topic ${record.topic} was not declared`);
    const partition = record.key === "" ? this.#spread++ % size : partitionOf(record.key, size);
    const properties = propertiesOf(record);
    return {
      ...properties,
      headers: { ...properties.headers, ...routingHeaders(topic.name, partition) },
      exchange: exchangeOf(this.#settings, topic.name),
      routingKey: routingKeyOf(topic.name, partition),
      // Where no group is known, nobody misses it.
      mandatory: topic.groups.length > 0,
    };
  }

  #explain(records: readonly EventRecord[], index: number, reason: unknown): unknown {
    // Attributes go in one frame.
    if (refusal(reason) === "CODEC") {
      return new RecordRefused(index, `its attributes are too long for RabbitMQ: ${(reason as Error).message}`);
    }
    const sizes = /message size \d+ is larger than .*max size (\d+)/.exec((reason as Error).message);
    if (sizes === null) return reason;
    this.#largest = Number(sizes[1]);
    const large = records.findIndex(({ payload }) => payload.length > this.#largest);
    // It may have been one that another call published.
    return large < 0 ? reason : this.#refused(records, large);
  }

  #refused(records: readonly EventRecord[], index: number): RecordRefused {
    const { length } = (records[index] as EventRecord).payload;
    return new RecordRefused(index, `it has ${length} bytes, and RabbitMQ takes ${this.#largest} (max_message_size)`);
  }
}

function addressOf({ exchange, routingKey }: Envelope): string {
  return `${exchange}, ${routingKey}`;
}
