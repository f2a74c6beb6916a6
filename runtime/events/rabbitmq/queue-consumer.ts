import { setImmediate as nextTurn } from "node:timers/promises";
import type { AsyncMessage } from "rabbitmq-client";
import type { Logger } from "../../observe/log.js";
import type { SubscribeOptions } from "../broker.js";
import { LEAVE_TIMEOUT_MS, type RabbitmqConnection, refusal } from "./connection.js";
import { recordOf } from "./message.js";
import { backOff, unlessAborted, within } from "./pause.js";

export interface QueueConsumerOptions extends Pick<SubscribeOptions, "group" | "batch" | "handle"> {
  readonly connection: RabbitmqConnection;
  readonly queue: string;
  readonly topic: string;
  readonly partition: number;
  readonly log: Logger | undefined;
  /** Declares the queue. Called before each attempt to consume it. */
  declare(): Promise<unknown>;
  /** Called when the queue turns out not to exist. */
  missing(): void;
}

/**
 * The number of unsettled messages that a member may have of a queue. It is the same for all members of all versions, whatever their
 * batches: messages that a member leaves unsettled go to the next one, and quorum queues before RabbitMQ 4 put those that the next
 * one cannot prefetch behind later ones, should it leave too. A version may raise the number, but never lower it.
 */
const PREFETCH = 256;

/**
 * Consumes the queue of one partition, or stands by while another member does (single active consumer). Messages that cannot be
 * settled are kept and handed out again, because a message that is returned to the queue may lose its place.
 */
export class QueueConsumer {
  readonly #options: QueueConsumerOptions;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #settled: () => void = () => undefined;
  readonly ready = new Promise<void>((resolve) => {
    this.#settled = resolve;
  });
  #messages: AsyncMessage[] = [];
  #isActive = false;
  #isLeaving = false;
  #failures = 0;
  #wake: () => void = () => undefined;

  constructor(options: QueueConsumerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Whether this member is the active consumer. It knows from the first message on. */
  get isActive(): boolean {
    return this.#isActive && !this.#isLeaving;
  }

  /** The number of unsettled messages. */
  get inHand(): number {
    return this.#messages.length;
  }

  /** Gives the queue to the next member once the batch under way is settled, and stands by behind it. */
  giveBack(): void {
    this.#isLeaving = true;
    this.#wake();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { group, queue, log, declare, missing } = this.#options;
    while (!this.#closing.signal.aborted) {
      try {
        await declare();
        await this.#consume();
      } catch (error) {
        if (this.#closing.signal.aborted) break;
        if (refusal(error) === "NOT_FOUND") missing();
        // The connection reports its own loss, once for all queues.
        if (this.#failures++ === 0) log?.debug({ err: error, group, queue }, "events wait: the queue is not consumed");
        if (this.#failures === 5) log?.warn({ err: error, group, queue }, "events wait: the queue is not consumed");
        await backOff(this.#failures, this.#closing.signal);
      }
    }
    this.#settled();
  }

  /** Consumes over one channel. Ends when the queue was given back, and rejects if the channel was lost. */
  async #consume(): Promise<void> {
    const { connection, queue, batch } = this.#options;
    if (this.#closing.signal.aborted) return;
    const channel = await connection.channel();
    const lost = new AbortController();
    const lose = (reason: unknown) => {
      lost.abort(reason);
      this.#wake();
    };
    channel.on("error", lose);
    channel.once("close", () => lose(new Error("the channel was closed")));
    channel.once("basic.cancel", (_tag, reason) => lose(reason));
    try {
      await channel.basicQos({ prefetchCount: PREFETCH });
      const begun = channel.basicConsume({ queue }, (message) => {
        if (lost.signal.aborted) return;
        this.#messages.push(message);
        this.#isActive = true;
        this.#wake();
      });
      // A queue whose leader is gone does not answer.
      await unlessAborted(this.#closing.signal, begun);
      this.#failures = 0;
      this.#settled();
      while (await this.#hasMessages(lost.signal)) {
        const some = this.#messages.slice(0, batch);
        if (!(await this.#handOut(some, lost.signal))) break;
        this.#messages.splice(0, some.length);
        channel.basicAck({ deliveryTag: (some.at(-1) as AsyncMessage).deliveryTag, multiple: true });
      }
      lost.signal.throwIfAborted();
    } finally {
      lost.abort();
      this.#messages = [];
      this.#isActive = false;
      this.#isLeaving = false;
      await within(LEAVE_TIMEOUT_MS, channel.close());
    }
  }

  /** Waits for messages. Returns false if the consumer must stop. */
  async #hasMessages(lost: AbortSignal): Promise<boolean> {
    while (this.#messages.length === 0 && !this.#isToStop(lost)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      // Messages that arrived with the first one are handed out with it.
      await nextTurn();
    }
    return !this.#isToStop(lost);
  }

  /** Hands messages out until they are settled. Returns false if the consumer must stop before. */
  async #handOut(messages: readonly AsyncMessage[], lost: AbortSignal): Promise<boolean> {
    const { topic, partition, group, handle, log } = this.#options;
    for (let failures = 0; ; ) {
      try {
        await handle(
          messages.map((message) => recordOf(message, topic, partition, failures > 0)),
          lost,
        );
        return !lost.aborted;
      } catch (error) {
        if (failures++ === 0) log?.warn({ err: error, group, topic, partition }, "events wait: they cannot be settled");
        await backOff(failures, AbortSignal.any([lost, this.#closing.signal]));
        if (this.#isToStop(lost)) return false;
      }
    }
  }

  #isToStop(lost: AbortSignal): boolean {
    return lost.aborted || this.#isLeaving || this.#closing.signal.aborted;
  }
}
