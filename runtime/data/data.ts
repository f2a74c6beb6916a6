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

/** How a transaction is run. */
export interface TransactionOptions {
  /** Whether it may run again when nobody knows if it was committed. Default: no. */
  readonly repeatable?: boolean;
  /** What goes on, with the events that it publishes, of the call that it belongs to: headers. */
  readonly trace?: () => Readonly<Record<string, string>>;
  /** How long it may take, in milliseconds. Default: as long as the call that it runs for. */
  readonly timeoutMs?: number | undefined;
}

/** What a transaction is part of, for those who add to it. */
export interface TransactionScope {
  /** What goes on of the call that it belongs to: headers. */
  readonly trace: () => Readonly<Record<string, string>>;
  /** Has something done once this has committed, or may have: the connection broke meanwhile. */
  afterCommit(run: () => void): void;
}

/** A service's database: its entities, and transactions over them. */
export interface Data<
  Entities = Readonly<Record<string, Repository<DescMessage>>>,
  Published extends DescMessage = never,
> {
  readonly repositories: Entities;
  /** What the repositories hold, by the same names. */
  readonly entities: Readonly<Record<string, Entity>>;
  /**
   * Runs `body` in one transaction: all of its writes happen, or none. Reads inside bypass the cache, and what was
   * written leaves it after the commit, here and in other instances. It runs again when the database asks for that (serialization failure,
   * deadlock), so effects outside the database belong outside. When the call that it runs for is cancelled, so is its statement,
   * and the transaction is rolled back; what `body` asks of it later fails.
   */
  transaction<T>(body: (tx: Transaction<Entities, Published>) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Runs `body` in one transaction, once for each idempotency key of the context's method: its writes and its answer
   * are kept together, and a repeat, even a simultaneous one, gets that answer instead. Without a key it is a plain
   * transaction. The same key with another request is INVALID_ARGUMENT. Answers are kept for good.
   */
  once<O extends DescMessage, P extends DescMessage = never>(
    context: KeyedContext<O, P>,
    body: (tx: Transaction<Entities, P>) => Promise<MessageInitShape<O>>,
  ): Promise<MessageShape<O>>;
  /** The primary's address. UNAVAILABLE if there is none. */
  primary(): Promise<string>;
  /**
   * Undoes what `once` did for another method under the same key, and does that once as well: `body` gets the answer
   * of then, or undefined if there was none yet. From then on the method is refused with FAILED_PRECONDITION under this key,
   * so that a request which was late, or lost its way, does not do what has been undone.
   *
   * @throws ConnectError INVALID_ARGUMENT without a key
   */
  undo<O extends DescMessage, D extends DescMessage, P extends DescMessage = never>(
    context: KeyedContext<O, P>,
    done: DescMethodUnary<DescMessage, D>,
    body: (tx: Transaction<Entities, P>, answer: MessageShape<D> | undefined) => Promise<MessageInitShape<O>>,
  ): Promise<MessageShape<O>>;
  /** The primary server, for statements that repositories cannot say. */
  readonly db: Database;
  /** Ends when the database answers; UNAVAILABLE if it does not. */
  ready(): Promise<void>;
  /** Is told, at once and whenever it is looked for, whether there is a primary. Only a watched database is looked for. */
  onAvailability(tell: (available: Availability) => void): void;
  /** Lets running statements end, then closes all connections. */
  close(): Promise<void>;
}

export interface DataOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** The service's short name, "orders": in the names of its connections and spans. */
  readonly service: string;
  /** What it owns, by the names that its handlers use. Rows without a cache policy are always read from the database. */
  readonly entities: Readonly<Record<string, { readonly entity: Entity; readonly cache?: CachePolicy }>>;
  /**
   * Where instances share cached rows, behind the cache that each has in its own process: `openRedis`. Closed with the
   * rest. Default: nowhere.
   */
  readonly shared?: SharedTier;
  /** Returns what each transaction has beside its entities. Default: nothing. */
  readonly extend?: (tx: DatabaseTransaction, scope: TransactionScope) => object;
  /** The most connections to each server at once; further work waits for one. Default 10. */
  readonly maxConnections?: number;
  /** The addresses of the database's replicas. Which of all servers is the primary, now or later, is found out. */
  readonly replicas?: readonly string[];
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

/**
 * Opens a service's database. Connections are made when they are needed, so this never fails: see `ready`.
 *
 * @typeParam Entities the repositories by name, as the generated `…Entities` interface has them
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
        // What was committed is so, whatever has become of the call meanwhile.
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

/** How a method's transaction is run. With a key, a repeat finds what a commit that was cut off has left. */
function of(context: KeyedContext<DescMessage>): TransactionOptions {
  const { idempotencyKey } = context;
  const trace = () => propagated(context);
  return { repeatable: idempotencyKey !== undefined, trace, timeoutMs: context.timeoutMs() };
}
