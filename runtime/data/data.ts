import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { SharedTier } from "../cache/shared.js";
import { runApart } from "../call/active-call.js";
import type { KeyedContext } from "../call/context.js";
import { propagated } from "../call/propagation.js";
import type { Logger } from "../observe/log.js";
import type { CachePolicy } from "../spec/cache.js";
import type { Entity } from "../spec/entity.js";
import { CachedRows } from "./cache/cached.js";
import { openCaches } from "./cache/caches.js";
import { answerOnce, undoOnce } from "./once.js";
import type { Availability } from "./postgres/cluster.js";
import { type Database, type DatabaseTransaction, openDriver } from "./postgres/driver.js";
import type { PostgresMetrics } from "./postgres/metrics.js";
import { ReplicatedRows } from "./rows/replicated.js";
import type { Repository } from "./rows/repository.js";
import { Rows } from "./rows/rows.js";
import { runTransaction, type Transaction } from "./transaction.js";

/** Options of a transaction. */
export interface TransactionOptions {
  /** Whether to retry when the outcome of the commit is unknown. Default: no. */
  readonly repeatable?: boolean;
  /** Headers of the call that are propagated with the events that the transaction publishes. */
  readonly trace?: () => Readonly<Record<string, string>>;
  /** The time limit in milliseconds. Default: the active call's deadline. */
  readonly timeoutMs?: number | undefined;
}

/** The context of a transaction for extensions such as event publishing. */
export interface TransactionScope {
  /** Headers of the call that are propagated. */
  readonly trace: () => Readonly<Record<string, string>>;
  /** Registers a callback for after the commit, or after a commit whose outcome is unknown because the connection broke. */
  afterCommit(run: () => void): void;
}

/** A service's database: its entities, and transactions over them. */
export interface Data<
  Entities = Readonly<Record<string, Repository<DescMessage>>>,
  Published extends DescMessage = never,
> {
  readonly repositories: Entities;
  /** The repositories by name. */
  readonly entities: Readonly<Record<string, Entity>>;
  /**
   * Runs `body` in one transaction: all of its writes are committed, or none. Reads inside bypass the cache, and written rows are
   * invalidated after the commit, in this and other instances. The transaction is retried after a serialization failure or a deadlock, so
   * side effects outside the database do not belong in `body`. If the call is cancelled, the running statement is cancelled, the
   * transaction is rolled back, and further statements of `body` fail.
   */
  transaction<T>(body: (tx: Transaction<Entities, Published>) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Runs `body` in one transaction, once for each idempotency key of the context's method. The writes and the response are stored
   * together; a repeated request, even a concurrent one, returns the stored response. Without a key it is a plain transaction. The same
   * key with a different request fails with INVALID_ARGUMENT. Responses are kept forever.
   */
  once<O extends DescMessage, P extends DescMessage = never>(
    context: KeyedContext<O, P>,
    body: (tx: Transaction<Entities, P>) => Promise<MessageInitShape<O>>,
  ): Promise<MessageShape<O>>;
  /** Returns the primary's address. Throws UNAVAILABLE if there is no primary. */
  primary(): Promise<string>;
  /**
   * Undoes what `once` did for another method under the same key, once as well: `body` gets the stored response, or undefined if there
   * is none. After that the method fails with FAILED_PRECONDITION under this key, so that a delayed request cannot repeat what was
   * undone.
   *
   * @throws ConnectError INVALID_ARGUMENT without a key
   */
  undo<O extends DescMessage, D extends DescMessage, P extends DescMessage = never>(
    context: KeyedContext<O, P>,
    done: DescMethodUnary<DescMessage, D>,
    body: (tx: Transaction<Entities, P>, answer: MessageShape<D> | undefined) => Promise<MessageInitShape<O>>,
  ): Promise<MessageShape<O>>;
  /** The primary, for statements that repositories cannot express. */
  readonly db: Database;
  /** Resolves when the database responds; rejects with UNAVAILABLE if it does not. */
  ready(): Promise<void>;
  /** Calls a listener at once, and after each check, with whether there is a primary. Only a watched database is checked. */
  onAvailability(tell: (available: Availability) => void): void;
  /** Waits for running statements, then closes all connections. */
  close(): Promise<void>;
}

export interface DataOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** The service's short name, "orders", for the names of connections and spans. */
  readonly service: string;
  /** The service's entities by the names that handlers use. Entities without a cache policy are always read from the database. */
  readonly entities: Readonly<Record<string, { readonly entity: Entity; readonly cache?: CachePolicy }>>;
  /**
   * A cache tier shared by all instances, behind the cache in each process: `openRedis`. It is closed with the database.
   * Default: none.
   */
  readonly shared?: SharedTier;
  /** Returns what a transaction offers besides its entities. Default: nothing. */
  readonly extend?: (tx: DatabaseTransaction, scope: TransactionScope) => object;
  /** The maximum number of connections to each node; further work waits for one. Default 10. */
  readonly maxConnections?: number;
  /** The addresses of the replicas. The primary among all nodes is detected, also after a failover. */
  readonly replicas?: readonly string[];
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

/**
 * Opens a service's database. It connects on demand, so this never fails: see `ready`.
 *
 * @typeParam Entities the repositories by name, as in the generated `…Entities` interface
 */
export function openData<Entities = Readonly<Record<string, Repository<DescMessage>>>>(
  options: DataOptions,
): Data<Entities> {
  const { service } = options;
  const driver = openDriver(options);
  const caches = openCaches({ service, shared: options.shared, driver });
  const owned = Object.entries(options.entities).map(([name, { entity, cache: policy }]) => {
    const cached = policy && caches.open(entity, policy);
    const rows = new Rows(entity, driver.db, cached && { announce: cached.announce, wrote: cached.forget });
    const own = cached
      ? new CachedRows(entity, rows, cached.rows, cached.pages, cached.doubt, `${service}.cache`)
      : rows;
    const replica = driver.replicas && new Rows(entity, driver.replicas);
    const repository = replica
      ? new ReplicatedRows(entity.schema, own, replica, cached && ((key) => cached.rows.peek(key)))
      : own;
    return { name, entity, cached, repository };
  });

  const run = <T>(
    body: (tx: Transaction<Entities>) => Promise<T>,
    { repeatable, trace = () => ({}), timeoutMs }: TransactionOptions = {},
  ): Promise<T> => {
    const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    let written: (() => void)[] = [];
    let suspected: (() => void)[] = [];
    return runTransaction(
      driver,
      (db) => {
        written = [];
        suspected = [];
        const repositories: Record<string, unknown> = {};
        for (const { name, entity, cached } of owned) {
          const observer = cached && {
            announce: cached.announce,
            wrote: (key: string, announced: unknown) => {
              written.push(() => cached.forget(key, announced));
              suspected.push(() => cached.doubt(key));
            },
          };
          repositories[name] = new Rows(entity, db, observer);
        }
        const afterCommit = (then: () => void) => void written.push(then);
        const tx = Object.assign(repositories, { db, afterCommit });
        const more = options.extend?.(db, {
          trace,
          afterCommit(then) {
            written.push(then);
            suspected.push(then);
          },
        });
        return body(Object.assign(tx, more) as unknown as Transaction<Entities>);
      },
      (outcome) => {
        // A committed transaction stays committed, even if the call was cancelled meanwhile.
        runApart(() => {
          for (const apply of outcome === "committed" ? written : suspected) apply();
        });
      },
      repeatable,
      deadline,
    );
  };

  return {
    repositories: Object.fromEntries(owned.map(({ name, repository }) => [name, repository])) as Entities,
    entities: Object.fromEntries(owned.map(({ name, entity }) => [name, entity])),
    transaction: run,
    once: (context, body) => run((tx) => answerOnce(tx.db, context, () => body(tx as never)), of(context)),
    undo: (context, done, body) =>
      run((tx) => undoOnce(tx.db, context, done, (answer) => body(tx as never, answer)), of(context)),
    primary: () => driver.primary(),
    db: driver.db,
    ready: () => driver.ready(),
    onAvailability: (tell) => driver.onAvailability(tell),
    async close() {
      await caches.close();
      await driver.close();
    },
  };
}

/** Returns the transaction options of a method. With a key a retry is safe: it finds the response of an interrupted commit. */
function of(context: KeyedContext<DescMessage>): TransactionOptions {
  const { idempotencyKey } = context;
  const trace = () => propagated(context);
  return { repeatable: idempotencyKey !== undefined, trace, timeoutMs: context.timeoutMs() };
}
