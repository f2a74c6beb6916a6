import type { NodePgQueryResultHKT } from "drizzle-orm/node-postgres";
import type { PgDatabase } from "drizzle-orm/pg-core";
import type pg from "pg";
import type { Logger } from "../../observe/log.js";
import { checkParameters } from "./batch.js";
import { queryBounded } from "./bounded.js";
import { runCancellable } from "./cancellation.js";
import { type Availability, Servers } from "./cluster.js";
import { type DatabaseTransaction, databaseOf, inTransaction, measured, type Query, unnamed } from "./connection.js";
import { isLoss, isRetryable, isStale, isUndone, translated, unavailable } from "./errors.js";
import { PostgresMetrics } from "./metrics.js";

/** What runs statements: the pool, or one transaction. */
export type Database = PgDatabase<NodePgQueryResultHKT>;

export type { DatabaseTransaction };

/** Connections to one database, wherever its primary is. */
export interface Driver {
  /** The primary. */
  readonly db: Database;
  /** For SELECT alone: the replicas, one after the other until one answers. Undefined if there are none at all. */
  readonly replicas: Database | undefined;
  /**
   * Runs `body` between BEGIN and COMMIT on one connection; rolls back if it throws, or if the active call is cancelled.
   *
   * @param deadline when it must be done, by `performance.now()`. Default: when the active call must
   */
  transaction<T>(body: (tx: DatabaseTransaction) => Promise<T>, deadline?: number): Promise<T>;
  /** The primary's address. UNAVAILABLE if there is none. */
  primary(): Promise<string>;
  /** Is told whenever another server is the primary. */
  onPrimary(tell: () => void): void;
  /** Is told, at once and after each look that finds one or none, whether there is a primary. */
  onAvailability(tell: (available: Availability) => void): void;
  /** Ends when the database answers; UNAVAILABLE if it does not. */
  ready(): Promise<void>;
  /** Lets running statements end, then closes all connections. */
  close(): Promise<void>;
}

export interface DriverOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** The same of its replicas. Whichever of all these is the primary, now or later, is found out. */
  readonly replicas?: readonly string[];
  /** The service's short name: in the names of its connections and spans. */
  readonly service: string;
  /** The most connections to each server at once; further work waits for one. Default 10. */
  readonly maxConnections?: number;
  /** Whether a database without replicas is looked at while nothing is wrong, so that its end is noticed. Default: no. */
  readonly watch?: boolean;
  /**
   * Whether statements that are always the same are prepared, once for each connection. Default: no. A pooler that shares
   * connections by transaction has to know prepared statements (PgBouncer 1.21).
   */
  readonly prepares?: boolean;
  /** Default: nothing is counted. */
  readonly metrics?: PostgresMetrics;
  readonly log?: Logger;
}

/** How often something is begun anew when it fails before it had any effect. */
const ATTEMPTS = 3;

/** Opens pools of connections; they are made as they are needed. */
export function openDriver(options: DriverOptions): Driver {
  const { url, replicas = [], service, maxConnections = 10, watch = false, prepares = false, log } = options;
  const { metrics = new PostgresMetrics() } = options;
  const servers = new Servers({ urls: [url, ...replicas], service, maxConnections, watch, metrics, log });
  const database = (query: Query, span: string) =>
    databaseOf(
      measured(async (config, values) => {
        checkParameters({ text: config.text, values });
        return query(prepares ? config : unnamed(config), values);
      }, span),
    );

  /** Begins something anew, on another server if need be, as long as it fails without an effect. */
  async function onPrimary<T>(
    run: (client: pg.PoolClient) => Promise<T>,
    isHarmless: (error: unknown) => boolean,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const server = await servers.primary();
      let leased = false;
      try {
        return await server.lease((client) => {
          leased = true;
          return run(client);
        });
      } catch (error) {
        if (isLoss(error)) servers.doubt(server);
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
    for (const server of servers.replicas()) {
      try {
        return await server.lease((client) => runCancellable(client, () => queryBounded(client, config, values)));
      } catch (error) {
        // 40001: what the primary has removed since was still being read.
        if (!isLoss(error) && !isRetryable(error)) throw error;
        servers.doubt(server);
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
    primary: async () => (await servers.primary()).url,
    onPrimary: (tell) => servers.onPrimary(tell),
    onAvailability: (tell) => servers.onAvailability(tell),
    async ready() {
      await translated(() =>
        onPrimary(
          (client) => runCancellable(client, () => client.query("select 1")),
          () => true,
        ),
      );
    },
    close: () => servers.close(),
  };
}

/** The address of the primary among the servers of a database. UNAVAILABLE, with what each of several says, without one. */
export async function findPrimary({ url, replicas = [], service }: DriverOptions): Promise<string> {
  if (replicas.length === 0) return url;
  const metrics = new PostgresMetrics();
  const servers = new Servers({ urls: [url, ...replicas], service, maxConnections: 1, watch: false, metrics });
  try {
    return (await servers.primary()).url;
  } catch {
    const said = servers.describe();
    throw unavailable(`no server takes writes: check DATABASE_URL and DATABASE_REPLICA_URLS (${said})`);
  } finally {
    await servers.close();
  }
}
