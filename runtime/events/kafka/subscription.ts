import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterMetadata, Consumer, GroupAssignment } from "@platformatic/kafka";
import { backoffMs } from "../../call/backoff.js";
import type { Logger } from "../../observe/log.js";
import type { Backoff } from "../../spec/retry.js";
import type { BrokerSubscription, SubscribeOptions } from "../broker.js";
import { guarded, type Kafka } from "./client.js";
import { abandon, createMember, type MemberOptions } from "./member.js";
import { Memory, Ownership } from "./ownership.js";

/** The delays between attempts to join the group. */
const REJOIN: Backoff = { initialBackoffMs: 200, maxBackoffMs: 2000, backoffMultiplier: 2 };
/** How long leaving the group may take. A member that does not leave holds its partitions until its session times out. */
const LEAVE_TIMEOUT_MS = 5000;
/** How often the topics' numbers of partitions are compared with those at the last rebalance, in milliseconds. */
const METADATA_MS = 5000;
/** How long heartbeats may stay without a response before the member rejoins: less than the group's session timeout. */
const HEARTBEAT_TIMEOUT_MS = 10_000;

export interface KafkaSubscriptionOptions extends SubscribeOptions {
  readonly memberOptions: MemberOptions;
  kafka(): Promise<Kafka>;
  /** Creates topics that are missing. */
  declare(): Promise<void>;
  readonly log: Logger | undefined;
}

/** One member of a group. Joins the group, and rejoins it after each loss, until it is closed. */
export class KafkaSubscription implements BrokerSubscription {
  readonly #options: KafkaSubscriptionOptions;
  readonly #memory = new Memory();
  readonly #closing = new AbortController();
  readonly #closed = new Promise<void>((resolve) => {
    this.#closing.signal.addEventListener("abort", () => resolve());
  });
  readonly #running: Promise<void>;
  #becameReady: () => void = () => undefined;
  readonly #isReady = new Promise<void>((resolve) => {
    this.#becameReady = resolve;
  });
  /** The member id that the group has assigned. */
  #memberId: string | null = null;
  #failures = 0;

  constructor(options: KafkaSubscriptionOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  ready(): Promise<void> {
    return this.#isReady;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { group, log } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await this.#participate();
      } catch (error) {
        if (this.#failures++ === 0) log?.warn({ err: error, group }, "events wait: not a member of the group");
        await sleep(backoffMs(this.#failures, REJOIN), undefined, { signal }).catch(() => undefined);
      }
    }
    this.#becameReady();
  }

  /** Is a member of the group until it is closed. Rejects when the membership is lost. */
  async #participate(): Promise<void> {
    const { memberOptions, declare, topics } = this.#options;
    const { signal } = this.#closing;
    const kafka = await this.#options.kafka();
    await declare();
    let failed: (error: unknown) => void = () => undefined;
    const failure = new Promise<never>((_, reject) => {
      failed = reject;
    });
    failure.catch(() => undefined);
    let ownership: Ownership | undefined;
    let shape: string | undefined;
    let heardAt = Number.POSITIVE_INFINITY;
    const member = createMember(kafka, memberOptions, async () => {
      // No heartbeat is expected until the rebalance is over.
      heardAt = Number.POSITIVE_INFINITY;
      await ownership?.giveBack();
    });
    const listen = setInterval(() => {
      if (performance.now() - heardAt > HEARTBEAT_TIMEOUT_MS) failed(new Error("Kafka does not answer the heartbeat"));
    }, 1000);
    const look = setInterval(async () => {
      // The leader, which assigns partitions, has metadata of all members' topics.
      const topics = [...(member.currentMetadata?.topics.keys() ?? [])];
      const before = shape;
      const metadata = await member.metadata({ topics, forceUpdate: true }).catch(() => undefined);
      if (metadata === undefined || before === undefined || shape !== before || shapeOf(metadata) === shape) return;
      failed(new Error("the topics' partitions have changed"));
    }, METADATA_MS);
    member.memberId = this.#memberId;
    member.topics.trackAll(...topics.map(({ name }) => name));
    member.on("consumer:heartbeat:end", () => {
      heardAt = performance.now();
    });
    member.on("consumer:heartbeat:error", ({ error }) => failed(error));
    member.on("error", failed);
    member.on("consumer:group:join", ({ assignments = [] }) => {
      if (signal.aborted) return;
      heardAt = performance.now();
      shape = shapeOf(member.currentMetadata!);
      ownership = this.#own(kafka, member, assignments, failed);
      ownership.started.then(() => this.#joined(), failed);
    });
    try {
      await Promise.race([member.joinGroup({}).then(() => failure), this.#closed]);
      failure.catch(() => ownership?.giveBack());
      await ownership?.finish();
      await Promise.race([member.leaveGroup(true), sleep(LEAVE_TIMEOUT_MS, undefined, { ref: false })]).catch(
        () => undefined,
      );
    } finally {
      clearInterval(look);
      clearInterval(listen);
      await ownership?.giveBack();
      this.#memberId = member.memberId;
      await abandon(member);
    }
  }

  #own(
    kafka: Kafka,
    member: Consumer,
    assignments: readonly GroupAssignment[],
    failed: (error: unknown) => void,
  ): Ownership {
    const { memberOptions, batch, handle, log } = this.#options;
    return new Ownership({
      ...{ member, batch, handle, failed, log, memory: this.#memory },
      assignments: assignments.filter(({ topic, partitions }) => member.topics.has(topic) && partitions.length > 0),
      openReader() {
        const reader = new kafka.Consumer<Buffer, Buffer, Buffer, Buffer>({ ...memberOptions });
        reader.topics.trackAll(...member.topics.keys());
        return guarded(kafka, reader);
      },
    });
  }

  #joined(): void {
    const { group, log } = this.#options;
    if (this.#failures > 0) log?.info({ group }, "events are handed out again");
    this.#failures = 0;
    this.#becameReady();
  }
}

/** Returns the topics with their numbers of partitions, as one comparable text. */
function shapeOf({ topics }: ClusterMetadata): string {
  return [...topics]
    .map(([name, { id, partitionsCount }]) => `${name} ${id} ${partitionsCount}`)
    .sort()
    .join();
}
