import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterMetadata, Consumer, RecordsBatch } from "@platformatic/kafka";
import { backoffMs } from "../../call/backoff.js";
import type { Logger } from "../../observe/log.js";
import type { Backoff } from "../../spec/retry.js";
import { isPassing } from "./client.js";
import type { Partition } from "./partition.js";

/**
 * How long a broker holds a fetch without new records, in milliseconds. It is less if a partition was left out, because that
 * partition may have room at any moment.
 */
const WAIT_MS = 500;
const SHORT_WAIT_MS = 100;
/** The upper bounds of a response, for one partition and in all. A larger record comes alone. */
const PARTITION_BYTES = 256 * 1024;
const ANSWER_BYTES = 4 * 1024 * 1024;
/** The delays between fetches from a broker that fails. */
const RETRY: Backoff = { initialBackoffMs: 200, maxBackoffMs: 2000, backoffMultiplier: 2 };
const OFFSET_OUT_OF_RANGE = 1;
/** Stands for a broker's number where any broker may be asked. */
const NOBODY = -1;

/** The fields that the library's fetch responses have in all versions of the protocol. */
interface Answer {
  readonly responses: readonly {
    readonly topicId: string;
    readonly partitions: readonly {
      readonly partitionIndex: number;
      readonly errorCode: number;
      readonly records?: readonly RecordsBatch[];
    }[];
  }[];
}

interface Question {
  readonly node: number;
  readonly partitions: readonly Partition[];
  readonly waitMs: number;
}

export interface FetcherOptions {
  readonly topics: readonly string[];
  readonly partitions: readonly Partition[];
  /** Opens a client of the fetcher's own: a fetch that waits for records holds up all later requests on its connection. */
  open(): Consumer;
  /** Aborted when no further records are needed. */
  readonly stop: AbortSignal;
  readonly log: Logger | undefined;
}

/**
 * Fetches new records of partitions that have room for them. Each broker has one fetch at a time, so that a slow partition holds up
 * neither the others nor the group's heartbeat.
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  /** The partitions, the most recently served ones last. */
  #partitions: readonly Partition[];
  #client: Consumer;
  readonly #asked = new Set<number>();
  /** The number of failures in a row of each broker, by the broker's number. */
  readonly #failures = new Map<number, number>();
  #isLooking = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#partitions = options.partitions;
    this.#client = options.open();
    options.stop.addEventListener("abort", () => this.#drop(), { once: true });
    this.more();
  }

  /** Fetches records of the partitions that have room. */
  more(): void {
    if (this.#isLooking || this.#options.stop.aborted) return;
    this.#isLooking = true;
    this.#client
      .metadata({ topics: [...this.#options.topics] })
      .then((metadata) => {
        this.#isLooking = false;
        this.#succeeded(NOBODY);
        for (const question of this.#due(metadata)) void this.#ask(question, metadata);
      })
      .catch(async (error: unknown) => {
        await this.#failed(NOBODY, error);
        this.#isLooking = false;
        this.more();
      });
  }

  /** Returns the fetches to make from idle brokers: of the partitions that they lead and that have room. */
  #due({ topics, brokers }: ClusterMetadata): Question[] {
    const led = new Map<number, Partition[]>();
    for (const partition of this.#partitions) {
      const leader = topics.get(partition.topic)?.partitions[partition.index]?.leader ?? NOBODY;
      // A partition without a leader, for the moment: any broker reports that.
      const node = brokers.has(leader) ? leader : ([...brokers.keys()][0] ?? NOBODY);
      const others = led.get(node);
      if (others === undefined) led.set(node, [partition]);
      else others.push(partition);
    }
    for (const node of this.#failures.keys()) if (!led.has(node)) this.#succeeded(node);
    return [...led].flatMap(([node, all]) => {
      const partitions = all.filter(({ hasEnough }) => !hasEnough);
      if (partitions.length === 0 || this.#asked.has(node)) return [];
      return [{ node, partitions, waitMs: partitions.length < all.length ? SHORT_WAIT_MS : WAIT_MS }];
    });
  }

  async #ask({ node, partitions, waitMs }: Question, metadata: ClusterMetadata): Promise<void> {
    this.#asked.add(node);
    try {
      const answer = await this.#client.fetch({
        node,
        maxWaitTime: waitMs,
        minBytes: 1,
        maxBytes: ANSWER_BYTES,
        topics: partitions.map(({ topic, index, next }) => ({
          topicId: metadata.topics.get(topic)!.id,
          partitions: [
            {
              partition: index,
              fetchOffset: next,
              partitionMaxBytes: PARTITION_BYTES,
              currentLeaderEpoch: -1,
              lastFetchedEpoch: -1,
            },
          ],
        })),
      });
      this.#take(answer, partitions);
      this.#succeeded(node);
    } catch (error) {
      const { response } = error as { response?: Answer };
      // The library turns the error of one partition into an error of the whole response.
      if (response?.responses !== undefined) {
        const lost = this.#take(response, partitions);
        await this.#restart(lost).catch((cause: unknown) => this.#failed(node, cause));
        if (lost.length === 0) await this.#failed(node, error);
      } else {
        await this.#failed(node, error);
      }
    }
    this.#asked.delete(node);
    this.more();
  }

  /** Hands fetched records to their partitions. Returns the partitions whose offset the broker no longer has. */
  #take(answer: Answer, partitions: readonly Partition[]): Partition[] {
    const lost: Partition[] = [];
    if (this.#options.stop.aborted) return lost;
    const byId = new Map(partitions.map((one) => [one.id, one]));
    const served = new Set<Partition>();
    for (const { topicId, partitions } of answer.responses) {
      for (const { partitionIndex, errorCode, records } of partitions) {
        const partition = byId.get(`${topicId}/${partitionIndex}`);
        if (partition === undefined) continue;
        if (errorCode === OFFSET_OUT_OF_RANGE) lost.push(partition);
        if (errorCode !== 0 || records === undefined || records.length === 0) continue;
        partition.take(records);
        served.add(partition);
      }
    }
    const others = this.#partitions.filter((one) => !served.has(one));
    this.#partitions = [...others, ...served];
    return lost;
  }

  /** Continues partitions at the oldest record that the broker has. */
  async #restart(lost: readonly Partition[]): Promise<void> {
    for (const partition of lost) {
      const { topic, index } = partition;
      const offsets = await this.#client.listOffsets({
        topics: [topic],
        partitions: { [topic]: [index] },
        timestamp: -2n,
      });
      const first = offsets.get(topic)?.[index];
      if (first === undefined) continue;
      const what = { topic, partition: index, from: String(partition.next), to: String(first) };
      this.#options.log?.error(
        what,
        "Kafka no longer has the events that come next: it goes on with the oldest it has",
      );
      partition.next = first;
    }
  }

  #succeeded(node: number): void {
    if (this.#failures.delete(node) && this.#failures.size === 0)
      this.#options.log?.info("Kafka hands out events again");
  }

  async #failed(node: number, error: unknown): Promise<void> {
    const { log, open, stop } = this.#options;
    if (stop.aborted) return;
    if (this.#failures.size === 0) log?.warn({ err: error }, "Kafka hands out no events");
    const failures = (this.#failures.get(node) ?? 0) + 1;
    this.#failures.set(node, failures);
    if (isPassing(error)) {
      this.#client.clearMetadata();
    } else {
      // The client may hold a connection whose peer vanished.
      this.#drop();
      this.#client = open();
    }
    await sleep(backoffMs(failures, RETRY), undefined, { signal: stop }).catch(() => undefined);
  }

  #drop(): void {
    void this.#client.close().catch(() => undefined);
  }
}
