import type { NodePgQueryResultHKT } from "drizzle-orm/node-postgres";
import type { PgDatabase } from "drizzle-orm/pg-core";
import type pg from "pg";
import type { Logger } from "../../observe/log.js";
import { checkParameters } from "./batch.js";
import { queryBounded } from "./bounded.js";
import { runCancellable } from "./cancellation.js";
import { type Availability, PostgresCluster } from "./cluster.js";
import { type DatabaseTransaction, databaseOf, inTransaction, measured, type Query, unnamed } from "./connection.js";
import { isLoss, isRetryable, isStale, isUndone, translated, unavailable } from "./errors.js";
import { PostgresMetrics } from "./metrics.js";

/** Runs statements: the pool, or one transaction. */
export type Database = PgDatabase<NodePgQueryResultHKT>;

export type { DatabaseTransaction };

/** Connections to one database, wherever its primary is. */
export interface Driver {
  /** The primary. */
  readonly db: Database;
  /** For SELECT only: the replicas, tried in turn until one responds. Undefined if none is configured. */
  readonly replicas: Database | undefined;
  /**
   * Runs `body` between BEGIN and COMMIT on one connection; rolls back if it throws, or if the active call is cancelled.
   *
   * @param deadline by `performance.now()`. Default: the active call's
   */
  transaction<T>(body: (tx: DatabaseTransaction) => Promise<T>, deadline?: number): Promise<T>;
  /** Returns the primary's address. Throws UNAVAILABLE if there is no primary. */
  primary(): Promise<string>;
  /** Calls a listener whenever the primary changes. */
  onPrimary(tell: () => void): void;
  /** Calls a listener at once, and after each conclusive check, with whether there is a primary. */
  onAvailability(tell: (available: Availability) => void): void;
  /** Resolves when the database responds; rejects with UNAVAILABLE if it does not. */
  ready(): Promise<void>;
  /** Waits for running statements, then closes all connections. */
  close(): Promise<void>;
}

export interface DriverOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** The addresses of the replicas. The primary among all nodes is detected, also after a failover. */
  readonly replicas?: readonly string[];
  /** The service's short name, for the names of connections and spans. */
  readonly service: string;
  /** The maximum number of connections to each node; further work waits for one. Default 10. */
  readonly maxConnections?: number;
  /** Whether to check a database without replicas periodically, so that an outage is noticed early. Default: no. */
  readonly watch?: boolean;
  /**
   * Whether to use prepared statements. Default: no. A pooler in transaction mode must support them (PgBouncer 1.21).
   */
  readonly prepares?: boolean;
  /** Default: no metrics. */
  readonly metrics?: PostgresMetrics;
  readonly log?: Logger;
}

/** The number of attempts at work that fails before it has any effect. */
const ATTEMPTS = 3;

/** Creates connection pools; they connect on demand. */
export function openDriver(options: DriverOptions): Driver {
  const { url, replicas = [], service, maxConnections = 10, watch = false, prepares = false, log } = options;
  const { metrics = new PostgresMetrics() } = options;
  const cluster = new PostgresCluster({ urls: [url, ...replicas], service, maxConnections, watch, metrics, log });
  const database = (query: Query, span: string) =>
    databaseOf(
      measured(async (config, values) => {
        checkParameters({ text: config.text, values });
        return query(prepares ? config : unnamed(config), values);
      }, span),
    );

  /** Retries work, on another node if necessary, while it fails without an effect. */
  async function onPrimary<T>(
    run: (client: pg.PoolClient) => Promise<T>,
    isHarmless: (error: unknown) => boolean,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const server = await cluster.primary();
      let leased = false;
      try {
        return await server.lease((client) => {
          leased = true;
          return run(client);
        });
      } catch (error) {
        if (isLoss(error)) cluster.doubt(server);
        else if (!isStale(error)) throw error;
        if (attempt === ATTEMPTS || (leased && !isHarmless(error))) throw error;
      }
    }
  }

  const query: Query = (config, values) => {
    const reads = /^\s*select\b/i.test(config.text);
    return onPrimary(
      (client) => runCancellable(client, () => queryBounded(client, config, values)),
      (error) => reads || isUndone(error),
    );
  };

  const queryReplica: Query = async (config, values) => {
    for (const server of cluster.replicas()) {
      try {
        return await server.lease((client) => runCancellable(client, () => queryBounded(client, config, values)));
      } catch (error) {
        // 40001: the query conflicted with recovery, since the primary removed rows that it was still reading.
        if (!isLoss(error) && !isRetryable(error)) throw error;
        cluster.doubt(server);
      }
    }
    throw unavailable("no replica of the database answers");
  };

  return {
    db: database(query, `${service}.db`),
    replicas: replicas.length === 0 ? undefined : database(queryReplica, `${service}.replica`),
    transaction(body, deadline) {
      let begun = false;
      return onPrimary(
        (client) => {
          begun = true;
          return inTransaction(client, { span: `${service}.db`, prepares, deadline }, body);
        },
        () => !begun,
      );
    },
    primary: async () => (await cluster.primary()).url,
    onPrimary: (tell) => cluster.onPrimary(tell),
    onAvailability: (tell) => cluster.onAvailability(tell),
    async ready() {
      await translated(() =>
        onPrimary(
          (client) => runCancellable(client, () => client.query("select 1")),
          () => true,
        ),
      );
    },
    close: () => cluster.close(),
  };
}

/** Returns the primary's address. Throws UNAVAILABLE, with the state of each node, if there is no primary. */
export async function findPrimary({ url, replicas = [], service }: DriverOptions): Promise<string> {
  if (replicas.length === 0) return url;
  const metrics = new PostgresMetrics();
  const cluster = new PostgresCluster({ urls: [url, ...replicas], service, maxConnections: 1, watch: false, metrics });
  try {
    return (await cluster.primary()).url;
  } catch {
    const said = cluster.describe();
    throw unavailable(`no server takes writes: check DATABASE_URL and DATABASE_REPLICA_URLS (${said})`);
  } finally {
    await cluster.close();
  }
}
