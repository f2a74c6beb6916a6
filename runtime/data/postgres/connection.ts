import { NodePgDatabase, NodePgSession, NodePgTransaction } from "drizzle-orm/node-postgres";
import { PgDialect, type PgPreparedQuery, type PreparedQueryConfig } from "drizzle-orm/pg-core";
import type pg from "pg";
import { activeCall } from "../../call/active-call.js";
import { activeCollectors, timed } from "../../observe/span.js";
import { checkParameters, runBatch, type Statement } from "./batch.js";
import { Cancellation, streamOf } from "./cancellation.js";
import { failedStatement, summary, withoutValues } from "./redact.js";

/** A transaction, as Drizzle has it. */
export type DatabaseTransaction = Parameters<Parameters<NodePgDatabase["transaction"]>[0]>[0];

/** A transaction's connection, for statements that are so short that a query builder costs more than the database. */
export interface Connection {
  run(statement: Statement): Promise<pg.QueryArrayResult>;
  /**
   * Has a statement sent with the next one, at the latest with the commit. If the database refuses it, that one fails with
   * its error, and nothing is committed.
   */
  add(statement: Statement): void;
}

const connections = new WeakMap<DatabaseTransaction, Connection>();
const dialect = new PgDialect();

/** Drizzle's, but its errors do not hold the parameters of statements. */
class Session extends NodePgSession<NoTables, NoTables> {
  override prepareQuery<T extends PreparedQueryConfig = PreparedQueryConfig>(
    ...args: Parameters<NodePgSession<NoTables, NoTables>["prepareQuery"]>
  ): PgPreparedQuery<T> {
    const prepared = super.prepareQuery<T>(...args);
    (prepared as unknown as { queryWithCache: unknown }).queryWithCache = queryWithCache;
    return prepared;
  }
}
type NoTables = Record<string, never>;

async function queryWithCache<T>(text: string, _params: unknown[], query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (error) {
    throw failedStatement(text, error);
  }
}

/** What runs statements for Drizzle, outside of transactions. */
export function databaseOf(client: pg.PoolClient): NodePgDatabase {
  return new (NodePgDatabase as unknown as new (...parts: [PgDialect, Session, undefined]) => NodePgDatabase)(
    dialect,
    new Session(client, dialect, undefined),
    undefined,
  );
}
const begin: Statement = { name: "begin", text: "begin" };
const commit: Statement = { name: "commit", text: "commit" };

/** The connection of a transaction that `inTransaction` has begun. */
export function connectionOf(tx: DatabaseTransaction): Connection {
  const connection = connections.get(tx);
  if (connection === undefined) throw new Error("this is no transaction of the service's own database");
  return connection;
}

/** How a database is spoken to. */
export interface Manner {
  /** The name of its statements' spans. */
  readonly span: string;
  /** Whether it prepares statements that have a name. */
  readonly prepares: boolean;
  /** When the work must be done, by `performance.now()`. Default: when the active call must. */
  readonly deadline?: number | undefined;
}

/** How long a server may take to end a transaction of a call that is over before its connection is closed. */
const END_MS = 2000;
/**
 * How much later than its call the server ends a statement by itself. That is for a process that cannot ask for it any
 * more, and comes after the process's own request.
 */
const NET_MS = 500;

/** Bounds each statement of a transaction, waiting for locks included. */
function limit(deadline: number): Statement {
  return { text: `set local statement_timeout = ${Math.max(1, Math.ceil(deadline - performance.now())) + NET_MS}` };
}

/**
 * Runs `body` between BEGIN and COMMIT; rolls back if it throws, or if the active call is cancelled. What need not be waited
 * for goes with what is next: BEGIN with the first statement, what was added with the next one or with COMMIT.
 *
 * A statement that runs while the transaction is rolled back is cancelled. COMMIT is not: it is let end, or its connection
 * is closed, and nobody knows what came of it.
 */
export async function inTransaction<T>(
  client: pg.PoolClient,
  manner: Manner,
  body: (tx: DatabaseTransaction) => Promise<T>,
): Promise<T> {
  const call = activeCall();
  const { deadline = call?.deadline } = manner;
  let waiting: Statement[] = deadline === undefined ? [begin] : [begin, limit(deadline)];
  const first = waiting.length;
  let begun = false;
  let over = false;
  /** The statement that was sent last, until it has ended. */
  let running: Promise<unknown> | undefined;

  // Whoever goes on when a transaction has ended must not get into the next one on its connection.
  const refusal = () => call?.cancelled ?? (over ? new Error("the transaction is over") : undefined);

  async function send(statement: Statement): Promise<pg.QueryArrayResult> {
    const refused = refusal();
    if (refused !== undefined) throw refused;
    checkParameters(statement);
    const statements = [...waiting, statement];
    waiting = [];
    begun = true;
    const sent = runBatch(client, manner.prepares ? statements : statements.map(unnamed), refusal);
    running = sent;
    try {
      return (await sent).at(-1)!;
    } finally {
      if (running === sent) running = undefined;
    }
  }

  /** Rolls back. What runs may be what nobody waits for any more. */
  async function giveUp(): Promise<void> {
    if (running !== undefined) {
      const cancellation = new Cancellation(client);
      await running.catch(() => undefined);
      await cancellation.settled();
    }
    const late = setTimeout(() => streamOf(client)?.destroy(), END_MS);
    // Where that fails, too, the connection is gone, and its transaction with it.
    await client.query("rollback").catch(() => undefined);
    clearTimeout(late);
  }

  const run: Query = (config, values) => send({ ...config, values } as Statement);
  const session = new Session(measured(run, manner.span), dialect, undefined);
  const tx = new NodePgTransaction(dialect, session, undefined) as unknown as DatabaseTransaction;
  const timedSend = (statement: Statement) => timedQuery(manner.span, statement.text, () => send(statement));
  const add = (statement: Statement) => {
    checkParameters(statement);
    waiting.push(statement);
  };
  connections.set(tx, { run: timedSend, add });
  let late: NodeJS.Timeout | undefined;
  let unlisten: (() => void) | undefined;
  try {
    const cancelled = call && new Promise<never>((_, reject) => (unlisten = call.onCancel(reject)));
    const result = await (cancelled ? Promise.race([body(tx), cancelled]) : body(tx));
    unlisten?.();
    if (call?.cancelled !== undefined) throw call.cancelled;
    if (begun || waiting.length > first) {
      unlisten = call?.onCancel(() => {
        late = setTimeout(() => streamOf(client)?.destroy(), END_MS);
      });
      const { command } = await timedSend(commit);
      if (command !== "COMMIT") throw new Error("a statement of the transaction failed, so it was rolled back");
    }
    return result;
  } catch (error) {
    over = true;
    if (begun) await giveUp();
    throw call?.cancelled ?? withoutValues(error);
  } finally {
    over = true;
    unlisten?.();
    clearTimeout(late);
  }
}

export type Query = (config: pg.QueryArrayConfig, values: unknown[]) => Promise<pg.QueryArrayResult>;

/** All that Drizzle needs of a client. Each statement is reported to the call that it runs for. */
export function measured(run: Query, span: string): pg.PoolClient {
  const query: Query = (config, values) => timedQuery(span, config.text, () => run(config, values));
  return { query } as unknown as pg.PoolClient;
}

/** The same, for a database that is to prepare nothing. */
export function unnamed<S extends Statement | pg.QueryArrayConfig>(statement: S): S {
  return { ...statement, name: undefined };
}

function timedQuery<T>(span: string, text: string, run: () => Promise<T>): Promise<T> {
  return activeCollectors() === undefined ? run() : timed(span, summary(text), run);
}
