import type { Channel, Connection as Client } from "rabbitmq-client";
import type { Logger } from "../../observe/log.js";
import { within } from "./pause.js";

export type RabbitmqClient = typeof import("rabbitmq-client");

export interface ConnectionOptions {
  readonly url: string;
  /** Names the connection in the broker's own lists. */
  readonly name: string;
  readonly log?: Logger;
}

/** How long a channel is waited for while the broker is away, in milliseconds. */
const CHANNEL_TIMEOUT_MS = 5000;
/** How long the broker is given to hear that a channel or a connection ends, in milliseconds. */
export const LEAVE_TIMEOUT_MS = 3000;
/**
 * The longest frame, in bytes. A message's attributes have to fit in one. This is what RabbitMQ allows unless told otherwise;
 * it must not be told less.
 */
export const FRAME_MAX = 131_072;

/** A connection that is made when it is first needed, and again whenever it breaks. */
export class RabbitmqConnection {
  readonly #library: RabbitmqClient;
  readonly #options: ConnectionOptions;
  #client: Client | undefined;
  #isLost = false;
  #blocked: string | undefined;

  constructor(library: RabbitmqClient, options: ConnectionOptions) {
    this.#library = library;
    this.#options = options;
  }

  /** Why RabbitMQ takes no messages for now: it is short of memory or of disk. */
  get blocked(): string | undefined {
    return this.#blocked;
  }

  /** A channel of its own for whoever asks, who closes it. Rejects if the broker stays away. */
  async channel(): Promise<Channel> {
    this.#client ??= this.#connect();
    const channel = await this.#client.acquire({ emitErrorsFromChannel: true });
    // It closes after any error, and whoever waits for it is told by that.
    channel.on("error", () => undefined);
    return channel;
  }

  /** Closes it, once its channels are closed. */
  async close(): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    // A broker that is frozen, or blocks its publishers, does not answer.
    if (!(await within(LEAVE_TIMEOUT_MS, client.close()))) client.unsafeDestroy();
  }

  #connect(): Client {
    const { url, name, log } = this.#options;
    const client = new this.#library.Connection({
      url,
      connectionName: name,
      acquireTimeout: CHANNEL_TIMEOUT_MS,
      connectionTimeout: 5000,
      frameMax: FRAME_MAX,
      heartbeat: 10,
      noDelay: true,
      retryLow: 100,
      retryHigh: 5000,
    });
    client.on("error", (error: unknown) => {
      if (!this.#isLost) log?.warn({ err: error, connection: name }, "events wait: RabbitMQ does not answer");
      this.#isLost = true;
    });
    client.on("connection", () => {
      if (this.#isLost) log?.info({ connection: name }, "RabbitMQ answers again");
      this.#isLost = false;
      this.#blocked = undefined;
    });
    client.on("connection.unblocked", () => {
      this.#blocked = undefined;
    });
    client.on("connection.blocked", (reason: string) => {
      this.#blocked = reason;
      log?.warn({ reason, connection: name }, "events wait: RabbitMQ takes none for now");
    });
    return client;
  }
}

/** Loads the library, which is an optional peer of this package. */
export async function loadLibrary(): Promise<RabbitmqClient> {
  const library = await import("rabbitmq-client").catch((cause: unknown) => {
    throw new Error("amqp:// needs the package rabbitmq-client: npm install rabbitmq-client", { cause });
  });
  // CommonJS: its types say otherwise of what a dynamic import answers, by how they are resolved.
  return library as unknown as RabbitmqClient;
}

/** The AMQP reply code of a refusal, in AMQP's words: "NOT_FOUND", "ACCESS_REFUSED", "PRECONDITION_FAILED", … */
export function refusal(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}
