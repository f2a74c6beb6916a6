import type pg from "pg";
import { Condition } from "./condition.js";
import { inSessions, type Session } from "./sessions.js";

export interface ListenerOptions {
  /** Where the primary is: replicas hear nothing. A connection of its own, so no pooler that shares it by transaction. */
  readonly url: () => Promise<string>;
  /** Names the connection in the server's own views. */
  readonly service: string;
  readonly channel: string;
  /** Is told each notice. */
  readonly heard: (payload: string) => void;
  /** Is told whenever it has begun to listen, again or for the first time. */
  readonly began?: () => void;
}

/** A connection that broke without a word is found out by this. */
const BEAT_MS = 5000;
const BEAT_TIMEOUT_MS = 3000;

/**
 * Hears what transactions announce on a channel of a database (LISTEN), and comes back when its connection breaks.
 * Notices of the time between are lost: whoever relies on them must hold nothing from before an `epoch` for true.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #closing = new AbortController();
  /** The connection that hears. */
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

  /** Changes whenever notices may have been missed; undefined while none are heard. */
  epoch(): number | undefined {
    return this.#client === undefined ? undefined : this.#epochs;
  }

  /** Begins to listen; ends when the first attempt has succeeded or failed. Further ones follow by themselves. */
  listen(): Promise<void> {
    this.#running ??= this.#run();
    return this.#first;
  }

  /** Holds everything from before for possibly untrue. */
  renew(): void {
    this.#epochs++;
  }

  /** Listens elsewhere, for `url` says something else now. */
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

  /** One connection's time. `isThere`: it still leads to where the database is. */
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
