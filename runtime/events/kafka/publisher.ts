import { setTimeout as sleep } from "node:timers/promises";
import type { MessageToProduce, Producer } from "@platformatic/kafka";
import { RecordRefused } from "../broker.js";
import type { EventRecord } from "../record.js";
import { isAnswer, isPassing, type Kafka } from "./client.js";
import { sizeOf, toMessage } from "./message.js";

/** What one request holds at most, in bytes before compression, unless it is one record: half of what brokers take. */
const REQUEST_BYTES = 512 * 1024;
/** Brokers do not even read a request that is much larger (`socket.request.max.bytes`, 100 MiB). */
const RECORD_BYTES = 64 * 1024 * 1024;
/** For how long the same request is made again before its caller hears of it, and how often. */
const PATIENCE_MS = 5000;
const PAUSE_MS = 100;

/**
 * Publishes one request after the other, each once all replicas in sync have it. A broker knows a request that it has
 * seen: it bears the number of its producer, and follows on the one before it in its partition. So a request whose answer
 * did not come is made again as it was, and is kept once. One that failed for good leaves those numbers in doubt; since a
 * broker drops what it takes for a repetition, a new producer makes the next.
 */
export class KafkaPublisher {
  readonly #kafka: () => Promise<Kafka>;
  readonly #open: (kafka: Kafka) => Producer;
  #producer: Producer | undefined;
  #turn: Promise<void> = Promise.resolve();
  #keyless = 0;

  constructor(kafka: () => Promise<Kafka>, open: (kafka: Kafka) => Producer) {
    this.#kafka = kafka;
    this.#open = open;
  }

  publish(records: readonly EventRecord[]): Promise<void> {
    const published = this.#turn.then(() => this.#publish(records));
    this.#turn = published.catch(() => undefined);
    return published;
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#producer?.close();
  }

  async #publish(records: readonly EventRecord[]): Promise<void> {
    const kafka = await this.#kafka();
    for (const [from, to] of requests(records)) {
      const messages = records.slice(from, to).map((record) => toMessage(record, this.#partition(kafka, record.key)));
      await this.#sendOrRefuse(kafka, messages, from);
    }
  }

  /** A number that stands for one partition of each topic, as the remainder by how many it has: Java's clients choose the same. */
  #partition(kafka: Kafka, key: string): number {
    return key === "" ? this.#keyless++ : kafka.compatibilityPartitioner(undefined as never, Buffer.from(key));
  }

  /** Brokers refuse requests, not records: which record it is, halving finds out. */
  async #sendOrRefuse(kafka: Kafka, messages: readonly MessageToProduce[], first: number): Promise<void> {
    try {
      await this.#send(kafka, messages);
    } catch (error) {
      if (!isAnswer(error, "MESSAGE_TOO_LARGE") && !isAnswer(error, "RECORD_LIST_TOO_LARGE")) throw error;
      if (messages.length === 1) {
        throw new RecordRefused(first, `larger than the topic ${messages[0]!.topic} takes`, { cause: error });
      }
      const half = messages.length >> 1;
      await this.#sendOrRefuse(kafka, messages.slice(0, half), first);
      await this.#sendOrRefuse(kafka, messages.slice(half), first + half);
    }
  }

  async #send(kafka: Kafka, messages: readonly MessageToProduce[]): Promise<void> {
    this.#producer ??= this.#open(kafka);
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        await this.#producer.send({ messages: [...messages] });
        return;
      } catch (error) {
        if (!isPassing(error) || performance.now() > until) {
          // Without waiting: a peer that is gone without a word answers no farewell.
          void this.#producer.close().catch(() => undefined);
          this.#producer = undefined;
          throw error;
        }
        this.#producer.clearMetadata();
        await sleep(PAUSE_MS);
      }
    }
  }
}

/** Where each request begins and ends. */
function* requests(records: readonly EventRecord[]): Generator<[from: number, to: number]> {
  let from = 0;
  let bytes = 0;
  for (const [index, record] of records.entries()) {
    const size = sizeOf(record);
    if (size > RECORD_BYTES) throw new RecordRefused(index, `${size} bytes are more than any Kafka broker takes`);
    if (index > from && bytes + size > REQUEST_BYTES) {
      yield [from, index];
      from = index;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < records.length) yield [from, records.length];
}
