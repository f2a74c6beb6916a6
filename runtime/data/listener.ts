import pg from "pg";

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

const CONNECT_TIMEOUT_MS = 2000;
/** A connection that broke without a word is found out by this. */
const BEAT_MS = 5000;
const BEAT_TIMEOUT_MS = 3000;
const LONGEST_PAUSE_MS = 5000;

/**
 * Hears what transactions announce on a channel of a database (LISTEN), and comes back when its connection breaks.
 * Notices of the time between are lost: whoever relies on them must hold nothing from before an `epoch` for true.
 */
export class Listener {
  readonly #options: ListenerOptions;
  #client: pg.Client | undefined;
  #epochs = 0;
  #listening = false;
  #first: Promise<void> | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Changes whenever notices may have been missed; undefined while none are heard. */
  epoch(): number | undefined {
    return this.#listening ? this.#epochs : undefined;
  }

  /** Begins to listen; ends when the first attempt has succeeded or failed. Further ones follow by themselves. */
  listen(): Promise<void> {
    this.#first ??= this.#connect();
    return this.#first;
  }

  /** Holds everything from before for possibly untrue. */
  renew(): void {
    this.#epochs++;
  }

  /** Listens elsewhere, for `url` says something else now. */
  move(): void {
    if (this.#client !== undefined) this.#lose(this.#client);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#listening = false;
    await this.#client?.end().catch(ignore);
  }

  async #connect(): Promise<void> {
    if (this.#closed) return;
    const { url, service, channel, heard, began } = this.#options;
    const connectionString = await url().catch(ignore);
    if (this.#closed) return;
    if (connectionString === undefined) {
      this.#retry();
      return;
    }
    const client = new pg.Client({
      connectionString,
      application_name: `${service} (cache)`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: BEAT_TIMEOUT_MS,
      keepAlive: true,
    });
    this.#client = client;
    const lose = () => this.#lose(client);
    client.on("error", lose);
    client.on("end", lose);
    client.on("notification", ({ payload = "" }) => {
      if (this.#client === client) heard(payload);
    });
    try {
      await client.connect();
      await client.query(`LISTEN "${channel}"`);
    } catch {
      lose();
      return;
    }
    // It may have broken, or have been closed, since.
    if (this.#client !== client || this.#closed) return;
    this.#failures = 0;
    this.#epochs++;
    this.#listening = true;
    this.#beat(client);
    began?.();
  }

  #beat(client: pg.Client): void {
    this.#timer = setTimeout(() => {
      client.query("select 1").then(
        () => this.#client === client && !this.#closed && this.#beat(client),
        () => this.#lose(client),
      );
    }, BEAT_MS).unref();
  }

  #lose(client: pg.Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#listening = false;
    clearTimeout(this.#timer);
    client.end().catch(ignore);
    if (!this.#closed) this.#retry();
  }

  #retry(): void {
    const pause = Math.min(LONGEST_PAUSE_MS, 100 * 2 ** this.#failures++);
    // Apart, so that not all instances come back at the same moment.
    this.#timer = setTimeout(() => void this.#connect(), pause * (0.5 + Math.random() / 2)).unref();
  }
}

function ignore(): void {}
