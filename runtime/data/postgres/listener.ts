import type pg from "pg";
import { Condition } from "./condition.js";
import { inSessions, type Session } from "./sessions.js";

export interface ListenerOptions {
  /** The primary's address: replicas receive no notices. The connection must not go through a pooler in transaction mode. */
  readonly url: () => Promise<string>;
  /** The connection's name in the server's statistics views. */
  readonly service: string;
  readonly channel: string;
  /** Called with each notice. */
  readonly heard: (payload: string) => void;
  /** Called whenever listening has started, for the first time or again. */
  readonly began?: () => void;
}

/** The keep-alive interval, which detects connections that are lost silently. */
const BEAT_MS = 5000;
const BEAT_TIMEOUT_MS = 3000;

/**
 * Receives notifications on a channel (LISTEN), and reconnects when its connection is lost. Notifications in between are lost: a consumer
 * must distrust everything from before the current `epoch`.
 */
export class NotificationListener {
  readonly #options: ListenerOptions;
  readonly #closing = new AbortController();
  /** The listening connection. */
  #client: pg.Client | undefined;
  #epochs = 0;
  #moves = 0;
  readonly #left = new Condition();
  #running: Promise<void> | undefined;
  #tried: () => void = () => undefined;
  readonly #first = new Promise<void>((resolve) => {
    this.#tried = resolve;
  });

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Changes whenever notices may have been missed; undefined while not listening. */
  epoch(): number | undefined {
    return this.#client === undefined ? undefined : this.#epochs;
  }

  /** Starts to listen; settles when the first attempt has succeeded or failed. Further attempts follow in the background. */
  listen(): Promise<void> {
    this.#running ??= this.#run();
    return this.#first;
  }

  /** Starts a new epoch, which marks everything from before as possibly outdated. */
  renew(): void {
    this.#epochs++;
  }

  /** Reconnects, because `url` has changed. */
  move(): void {
    this.#moves++;
    this.#client = undefined;
    this.#left.tell();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.move();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { url, service } = this.#options;
    let moves = 0;
    const options = {
      url: () => {
        moves = this.#moves;
        return url();
      },
      config: { application_name: `${service} (cache)`, query_timeout: BEAT_TIMEOUT_MS },
      stop: this.#closing.signal,
      failed: () => this.#tried(),
    };
    await inSessions(options, (session) => this.#hear(session, () => moves === this.#moves));
    this.#tried();
  }

  /** Listens over one connection. `isThere` checks that it still leads to the primary. */
  async #hear({ client, gone, well }: Session, isThere: () => boolean): Promise<void> {
    const { channel, heard, began } = this.#options;
    const deaf = () => {
      if (this.#client === client) this.#client = undefined;
    };
    client.on("error", deaf);
    client.on("end", deaf);
    client.on("notification", ({ payload = "" }) => {
      if (this.#client === client) heard(payload);
    });
    await client.query(`LISTEN "${channel}"`);
    if (!isThere()) return;
    this.#epochs++;
    this.#client = client;
    well();
    this.#tried();
    began?.();
    try {
      while (isThere()) {
        await Promise.race([this.#left.change(BEAT_MS), gone]);
        if (isThere()) await Promise.race([client.query("select 1"), gone]);
      }
    } finally {
      deaf();
    }
  }
}
