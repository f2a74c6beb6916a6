import { drizzle, type NodePgDatabase, type NodePgQueryResultHKT } from "drizzle-orm/node-postgres";
import type { PgDatabase } from "drizzle-orm/pg-core";
import pg from "pg";
import { timed } from "../observe/timing.js";
import { translated } from "./errors.js";

/** What runs statements: the pool, or one transaction. */
export type Database = PgDatabase<NodePgQueryResultHKT>;

/** A transaction, as Drizzle has it. */
export type DatabaseTransaction = Parameters<Parameters<NodePgDatabase["transaction"]>[0]>[0];

/** Connections to one database. */
export interface Driver {
  readonly db: Database;
  /** Runs `body` between BEGIN and COMMIT on one connection; rolls back if it throws. */
  transaction<T>(body: (tx: DatabaseTransaction) => Promise<T>): Promise<T>;
  /** Ends when the database answers; UNAVAILABLE if it does not. */
  ready(): Promise<void>;
  /** Lets running statements end, then closes all connections. */
  close(): Promise<void>;
}

export interface DriverOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Whose connections these are: names them in the server's own views, and in timings. */
  readonly service: string;
  /** The most connections at once; further work waits for one. Default 10. */
  readonly maxConnections?: number;
}

/** Opens a pool of connections; they are made as they are needed. */
export function openDriver({ url, service, maxConnections = 10 }: DriverOptions): Driver {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: service,
    max: maxConnections,
    // Long enough for a server that restarts, shorter than what most callers wait.
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
  });
  // A connection that breaks fails its statement, or leaves the pool if it has none: nothing is left to do here, but an
  // `error` that nobody listens to would end the process.
  pool.on("error", ignore);
  pool.on("connect", (client) => client.on("error", ignore));
  const lease = async <T>(run: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    const client = await pool.connect();
    try {
      return await run(client);
    } finally {
      // Without the error: a statement that was refused says nothing against the connection, and the pool sees by
      // itself when one is broken.
      client.release();
    }
  };
  const database = (query: Query) => drizzle({ client: measured(query, service) });
  return {
    db: database((config, values) => lease((client) => client.query(config, values))),
    transaction: (body) =>
      lease((client) => database((config, values) => client.query(config, values)).transaction(body)),
    async ready() {
      await translated(() => lease((client) => client.query("select 1")));
    },
    close: () => pool.end(),
  };
}

type Query = (config: pg.QueryArrayConfig, values: unknown[]) => Promise<pg.QueryArrayResult>;

/** All that Drizzle needs of a client. Each statement is reported to the call that it runs for. */
function measured(run: Query, service: string): pg.PoolClient {
  const query: Query = (config, values) => timed(`${service}.db`, summary(config.text), () => run(config, values));
  return { query } as unknown as pg.PoolClient;
}

/** `select orders` for `select "id", … from "orders" where …`. */
function summary(text: string): string {
  const verb = /^\s*(\w+)/.exec(text)?.[1] ?? "query";
  const table = /\b(?:from|into|update)\s+"(\w+)"/i.exec(text)?.[1];
  return table === undefined ? verb : `${verb} ${table}`;
}

function ignore(): void {}
