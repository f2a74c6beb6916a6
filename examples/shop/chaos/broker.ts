import { kafkaEngine } from "../../../scripts/testing/kafka-engine.js";
import { rabbitmqEngine } from "../../../scripts/testing/rabbitmq-engine.js";

/** The brokers that a shop runs on. PostgreSQL is the shop's own; the others are started beside it, if the machine has them. */
export const brokers = ["postgres", "kafka", "rabbitmq"] as const;
export type BrokerName = (typeof brokers)[number];

const engines = { kafka: kafkaEngine, rabbitmq: rabbitmqEngine };

/** What chaos needs of an engine. */
interface Engine {
  readonly url: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  remove(): Promise<void>;
}

/** A broker beside the shop, which is killed, and started again on what it had. */
export class Broker {
  #since = Date.now();
  #back = Promise.resolve();
  #isUp = true;

  private constructor(
    readonly name: string,
    private readonly engine: Engine,
  ) {}

  static async start(name: Exclude<BrokerName, "postgres">): Promise<Broker> {
    return new Broker(name, await engines[name]());
  }

  get url(): string {
    return this.engine.url;
  }

  /** For how long it has been up, in milliseconds; undefined if it is not. */
  get upMs(): number | undefined {
    return this.#isUp ? Date.now() - this.#since : undefined;
  }

  /** Kills it with SIGKILL; it comes back by itself. */
  kill(): void {
    this.#isUp = false;
    this.#back = this.engine.kill().then(async () => {
      await this.engine.start();
      this.#since = Date.now();
      this.#isUp = true;
    });
    // Whoever waits for it is told.
    this.#back.catch(() => undefined);
  }

  /** Settles once it is up again; rejects if it does not come back. */
  isBack(): Promise<void> {
    return this.#back;
  }

  async remove(): Promise<void> {
    await this.#back.catch(() => undefined);
    await this.engine.remove();
  }
}
