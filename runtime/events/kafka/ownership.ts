import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer, GroupAssignment } from "@platformatic/kafka";
import type { Logger } from "../../observe/log.js";
import type { SubscribeOptions } from "../broker.js";
import { hasCause } from "./client.js";
import { Fetcher } from "./fetcher.js";
import { Partition } from "./partition.js";

/** How long handlers have to come to an end when the group divides its partitions anew: the group waits for them. */
const GRACE_MS = 10_000;
const LAST_COMMIT_MS = 3000;
const EARLIEST = -2n;

export interface OwnershipOptions extends Pick<SubscribeOptions, "batch" | "handle"> {
  readonly member: Consumer;
  readonly assignments: readonly GroupAssignment[];
  readonly memory: Memory;
  /** Opens a client that is a member of no group. */
  openReader(): Consumer;
  /** Called if the member can no longer do its part. */
  failed(error: unknown): void;
  readonly log: Logger | undefined;
}

/** What a subscription knows of partitions, whether it has them or not, by their ids. */
export class Memory {
  /** Everything before this offset was handled here, though the broker may not know it yet. */
  readonly settled = new Map<string, bigint>();
  /** What has been given a batch, until it has ended. */
  readonly underWay = new Map<string, Promise<void>>();
}

/** The partitions of a member between two rebalances, each handed out in order, from where the group stopped. */
export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #stop = new AbortController();
  readonly #revoked = new AbortController();
  readonly #running: Promise<void>[] = [];
  /** Those of which the broker does not know yet how far they are. */
  readonly #uncommitted = new Set<Partition>();
  #committing: Promise<void> | undefined;
  #fetcher: Fetcher | undefined;
  /** Set when it is no longer for this one to say how far the partitions are. */
  #isOver = false;
  /** Ends when partitions are handed out. */
  readonly started: Promise<void>;

  constructor(options: OwnershipOptions) {
    this.#options = options;
    // Each partition listens, and there may be many.
    setMaxListeners(0, this.#stop.signal);
    this.started = this.#start();
  }

  /** Hands out nothing new, waits for what is under way, and tells the broker how far it came. */
  async finish(): Promise<void> {
    this.#stop.abort();
    await this.started.catch(() => undefined);
    await Promise.all(this.#running);
    await this.#commitLast();
  }

  /** The same, before the partitions become someone else's: what is under way is to end, and is not waited for long. */
  async giveBack(): Promise<void> {
    this.#stop.abort();
    this.#revoked.abort();
    await this.started.catch(() => undefined);
    await Promise.race([Promise.all(this.#running), sleep(GRACE_MS, undefined, { ref: false })]);
    await this.#commitLast();
    this.#isOver = true;
  }

  async #start(): Promise<void> {
    const { assignments, openReader, log } = this.#options;
    const partitions = assignments.length === 0 ? [] : await this.#locate();
    if (this.#stop.signal.aborted || partitions.length === 0) return;
    for (const partition of partitions) this.#begin(partition);
    const topics = assignments.map(({ topic }) => topic);
    this.#fetcher = new Fetcher({ topics, partitions, open: openReader, stop: this.#stop.signal, log });
  }

  /** Finds out where to begin: where the group stopped, or with the oldest that is kept. */
  async #locate(): Promise<Partition[]> {
    const { member, assignments, openReader, log } = this.#options;
    const topics = assignments.map(({ topic }) => topic);
    const reader = openReader();
    const [metadata, oldest, committed] = await Promise.all([
      reader.metadata({ topics }),
      reader.listOffsets({ topics, timestamp: EARLIEST }),
      member.listCommittedOffsets({ topics: [...assignments] }),
    ]).finally(() => void reader.close().catch(() => undefined));
    return assignments.flatMap(({ topic, partitions }) =>
      partitions.map((index) => {
        const first = oldest.get(topic)?.[index] ?? 0n;
        const partition = new Partition(topic, index, metadata.topics.get(topic)!.id, first);
        const known = committed.get(topic)?.[index] ?? -1n;
        if (known >= 0n && known < first) {
          const what = { topic, partition: index, from: String(known), to: String(first) };
          log?.error(what, "events are gone before the group came to them: they were older than the topic keeps them");
        }
        partition.skipTo(known);
        return partition;
      }),
    );
  }

  #begin(partition: Partition): void {
    const { batch, handle, memory, log } = this.#options;
    const { id, topic, index } = partition;
    const begin = partition.next;
    const handOut = async () => {
      const settled = memory.settled.get(id) ?? -1n;
      partition.skipTo(settled);
      if (settled > begin) this.#note(partition);
      await partition.handOut({
        ...{ batch, handle },
        stop: this.#stop.signal,
        revoked: this.#revoked.signal,
        settled: (next) => {
          memory.settled.set(id, next);
          this.#note(partition);
          this.#fetcher?.more();
        },
        rejected: (error) =>
          log?.warn({ err: error, topic, partition: index }, "events were not handled, and come again"),
      });
    };
    // Whoever had the partition's last batch here may still be at it.
    const running = (memory.underWay.get(id) ?? Promise.resolve()).then(handOut);
    memory.underWay.set(id, running);
    this.#running.push(running);
  }

  /** Has the broker told how far a partition is, unless that is someone else's by now. */
  #note(partition: Partition): void {
    if (this.#isOver) return;
    this.#uncommitted.add(partition);
    void this.#commit();
  }

  /** What the broker does not answer soon, it does not know: whoever is next begins where it stopped. */
  async #commitLast(): Promise<void> {
    await Promise.race([this.#commit(), sleep(LAST_COMMIT_MS, undefined, { ref: false })]);
  }

  /** Tells the broker how far the partitions are: in one request at a time, each with all that is new. */
  #commit(): Promise<void> {
    if (this.#uncommitted.size === 0) return this.#committing ?? Promise.resolve();
    this.#committing ??= this.#commitAll();
    return this.#committing;
  }

  async #commitAll(): Promise<void> {
    const { member, memory, failed } = this.#options;
    while (this.#uncommitted.size > 0) {
      const partitions = [...this.#uncommitted];
      this.#uncommitted.clear();
      const offsets = partitions.map(({ id, topic, index }) => ({
        ...{ topic, partition: index, offset: memory.settled.get(id)!, leaderEpoch: -1 },
      }));
      try {
        await member.commit({ offsets });
      } catch (error) {
        for (const partition of partitions) this.#uncommitted.add(partition);
        // That the group has changed, the heartbeat says, too.
        if (!hasCause(error, "needsRejoin", true)) failed(error);
        break;
      }
    }
    this.#committing = undefined;
  }
}
