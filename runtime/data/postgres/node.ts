import pg from "pg";
import { activeCall } from "../../call/active-call.js";
import { streamOf, takeWithin } from "./cancellation.js";
import { isSilence, isStale, unavailable } from "./errors.js";

/** What a server says of itself. */
export type Role =
  | { readonly kind: "primary"; readonly system: string; readonly timeline: number }
  | {
      readonly kind: "replica";
      readonly system: string;
      /** Whether it receives what a primary writes at the moment. */
      readonly follows: boolean;
    };

const LOOK_TIMEOUT_MS = 2000;
/** How long a connection is waited for, one that is made or one that others use. */
const CONNECT_MS = 5000;

/** A timeline is the first third of a WAL file's name, in hexadecimal; it grows with each promotion. */
const roleQuery = `
SELECT pg_is_in_recovery() AS "recovers", c.system_identifier::text AS "system",
  CASE WHEN pg_is_in_recovery() THEN NULL ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS "timeline",
  EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL) AS "follows"
FROM pg_control_system() AS c`;

/** One PostgreSQL server, by its address: connections to it, and a look at what it is. */
export class Server {
  readonly url: string;
  /** Without user and password, for logs. */
  readonly address: string;
  /** When it was last looked at; undefined: it did not answer. */
  role: Role | undefined;
  /** Why it did not answer. */
  fault: string | undefined;
  /** How often in a row a look got no answer at all, not even a refusal. */
  silences = 0;
  readonly #service: string;
  readonly #maxConnections: number;
  readonly #broke: (server: Server) => void;
  readonly #pool: pg.Pool;
  readonly #clients = new Set<pg.PoolClient>();
  /** Connections that have statements prepared for what a table once was. */
  readonly #stale = new WeakSet<pg.PoolClient>();
  #watcher: pg.Client | undefined;
  #looking: Promise<Role | undefined> | undefined;

  /** @param broke is told when a connection breaks */
  constructor(
    url: string,
    { service, maxConnections }: { readonly service: string; readonly maxConnections: number },
    broke: (server: Server) => void,
  ) {
    this.url = url;
    this.address = new URL(url).host;
    this.#service = service;
    this.#maxConnections = maxConnections;
    this.#broke = broke;
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: service,
      max: maxConnections,
      // Long enough for a server that restarts, shorter than what most callers wait.
      connectionTimeoutMillis: CONNECT_MS,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
    });
    // A connection that breaks fails its statement, or leaves the pool if it has none; an `error` that nobody listens to
    // would end the process.
    this.#pool.on("error", () => broke(this));
    this.#pool.on("connect", (client) => {
      this.#clients.add(client);
      client.on("error", () => undefined);
    });
    this.#pool.on("remove", (client) => this.#clients.delete(client));
  }

  /** Runs something on a connection of its own, for which nobody waits longer than the active call lasts. */
  async lease<T>(run: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const call = activeCall();
    const take = () => {
      if (call === undefined) return this.#pool.connect();
      if (call.cancelled !== undefined) throw call.cancelled;
      const waits = this.#pool.idleCount === 0;
      return waits ? takeWithin(call, this.#pool.connect()) : this.#pool.connect();
    };
    const client = await this.#fresh(take);
    try {
      return await run(client);
    } catch (error) {
      if (isStale(error)) for (const each of this.#clients) this.#stale.add(each);
      throw error;
    } finally {
      // Without the error: a statement that was refused says nothing against the connection, and the pool sees by
      // itself when one is broken.
      client.release(this.#stale.has(client) || streamOf(client)?.destroyed);
    }
  }

  async #fresh(take: () => Promise<pg.PoolClient>): Promise<pg.PoolClient> {
    try {
      let client = await take();
      while (this.#stale.has(client)) {
        client.release(true);
        client = await take();
      }
      return client;
    } catch (error) {
      // Otherwise connections were being made, and the server did not answer.
      const isFull = isSilence(error) && this.#clients.size >= this.#maxConnections;
      if (!isFull) throw error;
      // It may be in use for nothing but a server that is gone.
      this.#broke(this);
      const all = this.#maxConnections === 1 ? "the one connection" : `all ${this.#maxConnections} connections`;
      throw unavailable(`${all} of this service to its database stayed in use for ${CONNECT_MS / 1000} s: try again`);
    }
  }

  /** Breaks all connections: what waits for an answer has none to expect. */
  abandon(): void {
    for (const client of this.#clients) streamOf(client)?.destroy();
  }

  /** Asks what it is, on a connection apart, so that a full pool is not taken for a server that is gone. */
  look(): Promise<Role | undefined> {
    this.#looking ??= this.#ask().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #ask(): Promise<Role | undefined> {
    try {
      this.#watcher ??= await this.#connect();
      const { rows } = await this.#watcher.query(roleQuery);
      const { recovers, system, timeline, follows } = rows[0];
      this.silences = 0;
      this.fault = undefined;
      this.role = recovers
        ? { kind: "replica", system, follows }
        : { kind: "primary", system, timeline: Number.parseInt(timeline, 16) };
    } catch (error) {
      this.silences = isSilence(error) ? this.silences + 1 : 0;
      this.fault = (error as Error).message || String((error as { code?: unknown }).code);
      this.role = undefined;
      this.#forget(this.#watcher);
    }
    return this.role;
  }

  async close(): Promise<void> {
    this.#forget(this.#watcher);
    await this.#pool.end();
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.url,
      application_name: `${this.#service} (watch)`,
      connectionTimeoutMillis: LOOK_TIMEOUT_MS,
      query_timeout: LOOK_TIMEOUT_MS,
      keepAlive: true,
    });
    client.on("error", () => this.#forget(client));
    try {
      await client.connect();
      return client;
    } catch (error) {
      streamOf(client)?.destroy();
      throw error;
    }
  }

  #forget(client: pg.Client | undefined): void {
    if (client === undefined) return;
    if (this.#watcher === client) this.#watcher = undefined;
    // Not asked to end: it may be that nobody is there to answer.
    streamOf(client)?.destroy();
  }
}
