import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "@platformatic/kafka";
import type { Topic } from "../broker.js";
import { isAnswer, isPassing, type Kafka } from "./client.js";

const EARLIEST = -2n;
const LATEST = -1n;
/** For how long a question is put again before its caller hears of it, and how often. */
const PATIENCE_MS = 5000;
const PAUSE_MS = 100;

/** Makes topics, and tells how far their groups are. */
export class Topics {
  readonly #kafka: () => Promise<Kafka>;
  readonly #open: (kafka: Kafka) => Admin;
  #admin: Admin | undefined;

  constructor(kafka: () => Promise<Kafka>, open: (kafka: Kafka) => Admin) {
    this.#kafka = kafka;
    this.#open = open;
  }

  async declare(topics: readonly Topic[]): Promise<void> {
    // Who may not create topics may still use those that an administrator made.
    const known = new Set(await this.#ask((admin) => admin.listTopics()));
    const missing = topics.filter(({ name }) => !known.has(name));
    for (const { name, partitions, retentionMs } of missing) {
      const configs = [{ name: "retention.ms", value: String(Math.ceil(retentionMs)) }];
      await this.#ask((admin) => admin.createTopics({ topics: [name], partitions, configs })).catch(
        (error: unknown) => {
          if (!isAnswer(error, "TOPIC_ALREADY_EXISTS")) throw error;
        },
      );
    }
    // The controller has them; the other brokers hear of them a moment later.
    const names = missing.map(({ name }) => name);
    if (names.length === 0) return;
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const there = new Set(await this.#ask((admin) => admin.listTopics()));
      if (names.every((name) => there.has(name))) return;
      if (performance.now() > until)
        throw new Error(`Kafka made the topics ${names.join(", ")}, and does not know them`);
      await sleep(PAUSE_MS);
    }
  }

  async lag(group: string, topics: readonly string[]): Promise<Map<string, number[]>> {
    if (topics.length === 0) return new Map();
    const metadata = await this.#ask((admin) => admin.metadata({ topics: [...topics], forceUpdate: true }));
    const partitions = topics.map((name) => ({
      name,
      partitionIndexes: [...metadata.topics.get(name)!.partitions.keys()],
    }));
    const offsets = async (timestamp: bigint) => {
      const asked = partitions.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, timestamp })),
      }));
      return this.#ask((admin) => admin.listOffsets({ topics: asked }));
    };
    const [ends, beginnings] = [await offsets(LATEST), await offsets(EARLIEST)];
    const groups = await this.#ask((admin) =>
      admin.listConsumerGroupOffsets({ groups: [{ groupId: group, topics: partitions }] }),
    );
    const at = new Map<string, bigint>();
    for (const { name, partitions } of beginnings) {
      for (const { partitionIndex, offset } of partitions) at.set(`${name}/${partitionIndex}`, offset);
    }
    for (const { name, partitions } of groups.flatMap(({ topics }) => topics)) {
      for (const { partitionIndex, committedOffset } of partitions) {
        const place = `${name}/${partitionIndex}`;
        // -1: none. Below the beginning: what the group had before it is gone.
        if (committedOffset > (at.get(place) ?? 0n)) at.set(place, committedOffset);
      }
    }
    const lag = new Map(topics.map((name): [string, number[]] => [name, []]));
    for (const { name, partitions } of ends) {
      for (const { partitionIndex, offset } of partitions) {
        lag.get(name)![partitionIndex] = Math.max(0, Number(offset - (at.get(`${name}/${partitionIndex}`) ?? 0n)));
      }
    }
    return lag;
  }

  async close(): Promise<void> {
    await this.#admin?.close();
  }

  async #ask<T>(question: (admin: Admin) => Promise<T>): Promise<T> {
    const kafka = await this.#kafka();
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      this.#admin ??= this.#open(kafka);
      const admin = this.#admin;
      try {
        return await question(admin);
      } catch (error) {
        // It may hold on to a broker that is gone, or is no longer the one to ask.
        void admin.close().catch(() => undefined);
        if (this.#admin === admin) this.#admin = undefined;
        if (!isPassing(error) || performance.now() > until) throw error;
        await sleep(PAUSE_MS);
      }
    }
  }
}
