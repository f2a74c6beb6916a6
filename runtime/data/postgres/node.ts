import pg from "pg";
import { activeCall } from "../../call/active-call.js";
import { streamOf, takeWithin } from "./cancellation.js";
import { isSilence, isStale, unavailable } from "./errors.js";

/** The role that a node reports. */
export type Role =
  | { readonly kind: "primary"; readonly system: string; readonly timeline: number }
  | {
      readonly kind: "replica";
      readonly system: string;
      /** Whether it is streaming from a primary at the moment. */
      readonly follows: boolean;
    };

const LOOK_TIMEOUT_MS = 2000;
/** The time limit for a connection, new or from the pool. */
const CONNECT_MS = 5000;

/** Matches a timeline, the first third of a WAL file's name in hexadecimal; each promotion increments it. */
const roleQuery = `
SELECT pg_is_in_recovery() AS "recovers", c.system_identifier::text AS "system",
  CASE WHEN pg_is_in_recovery() THEN NULL ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS "timeline",
  EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL) AS "follows"
FROM pg_control_system() AS c`;

/** One PostgreSQL node by its address: its connection pool and its role. */
export class PostgresNode {
  readonly url: string;
  /** The address without user and password, for logs. */
  readonly address: string;
  /** The result of the last check; undefined if the node did not respond. */
  role: Role | undefined;
  /** Why it did not respond. */
  fault: string | undefined;
  /** The number of consecutive checks without any response, not even a refused connection. */
  silences = 0;
  readonly #service: string;
  readonly #maxConnections: number;
  readonly #broke: (server: PostgresNode) => void;
  readonly #pool: pg.Pool;
  readonly #clients = new Set<pg.PoolClient>();
  /** Connections with prepared statements that a migration has outdated. */
  readonly #stale = new WeakSet<pg.PoolClient>();
  #watcher: pg.Client | undefined;
  #looking: Promise<Role | undefined> | undefined;

  /** @param broke called when a connection is lost */
  constructor(
    url: string,
    { service, maxConnections }: { readonly service: string; readonly maxConnections: number },
    broke: (server: PostgresNode) => void,
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
      // Long enough for a server's restart, shorter than most callers wait.
      connectionTimeoutMillis: CONNECT_MS,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
    });
    // A lost connection fails its statement, or leaves the pool if it is idle; an `error` event without a listener would end
    // the process.
    // would end the process.
    this.#pool.on("error", () => broke(this));
    this.#pool.on("connect", (client) => {
      this.#clients.add(client);
      client.on("error", () => undefined);
    });
    this.#pool.on("remove", (client) => this.#clients.delete(client));
  }

  /** Runs something on a connection from the pool; the wait ends with the active call. */
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
      // Without the error: a failed statement does not make the connection unusable, and the pool notices a lost one itself.
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
      // Otherwise connections were being opened, and the server did not respond.
      const isFull = isSilence(error) && this.#clients.size >= this.#maxConnections;
      if (!isFull) throw error;
      // A pool may be exhausted just because its server is gone.
      this.#broke(this);
      const all = this.#maxConnections === 1 ? "the one connection" : `all ${this.#maxConnections} connections`;
      throw unavailable(`${all} of this service to its database stayed in use for ${CONNECT_MS / 1000} s: try again`);
    }
  }

  /** Breaks all connections, because their statements will get no response. */
  abandon(): void {
    for (const client of this.#clients) streamOf(client)?.destroy();
  }

  /** Checks the role on a separate connection, so that an exhausted pool is not mistaken for an outage. */
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
    // Destroyed instead of closed, because the server may not respond.
    streamOf(client)?.destroy();
  }
}
