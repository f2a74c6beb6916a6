import { NodePgDatabase, NodePgSession, NodePgTransaction } from "drizzle-orm/node-postgres";
import { PgDialect, type PgPreparedQuery, type PreparedQueryConfig } from "drizzle-orm/pg-core";
import type pg from "pg";
import { activeCall } from "../../call/active-call.js";
import { activeCollectors, timed } from "../../observe/span.js";
import { checkParameters, runBatch, type Statement } from "./batch.js";
import { Cancellation, streamOf } from "./cancellation.js";
import { failedStatement, summary, withoutValues } from "./redact.js";

/** A Drizzle transaction. */
export type DatabaseTransaction = Parameters<Parameters<NodePgDatabase["transaction"]>[0]>[0];

/** A transaction's connection, for statements that are so short that a query builder costs more than the database. */
export interface TransactionConnection {
  run(statement: Statement): Promise<pg.QueryArrayResult>;
  /**
   * Sends a statement together with the next one, at the latest with COMMIT. If it fails, the next one fails with its error, and nothing is
   * committed.
   */
  add(statement: Statement): void;
}

const connections = new WeakMap<DatabaseTransaction, TransactionConnection>();
const dialect = new PgDialect();

/** Drizzle's client, with errors that do not contain parameters. */
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

/** Runs Drizzle's statements outside transactions. */
export function databaseOf(client: pg.PoolClient): NodePgDatabase {
  return new (NodePgDatabase as unknown as new (...parts: [PgDialect, Session, undefined]) => NodePgDatabase)(
    dialect,
    new Session(client, dialect, undefined),
    undefined,
  );
}
const begin: Statement = { name: "begin", text: "begin" };
const commit: Statement = { name: "commit", text: "commit" };

/** The connection of a transaction that `inTransaction` began. */
export function connectionOf(tx: DatabaseTransaction): TransactionConnection {
  const connection = connections.get(tx);
  if (connection === undefined) throw new Error("this is no transaction of the service's own database");
  return connection;
}

/** Options of a connection. */
export interface Manner {
  /** The name of its statements' spans. */
  readonly span: string;
  /** Whether named statements are prepared. */
  readonly prepares: boolean;
  /** The deadline by `performance.now()`. Default: the active call's. */
  readonly deadline?: number | undefined;
}

/** The time that the server has to end a cancelled call's transaction before its connection is closed. */
const END_MS = 2000;
/**
 * The server's statement timeout exceeds the call's by this much. It is for a process that can no longer send a cancel request, and comes
 * after the process's own request.
 */
const NET_MS = 500;

/** Sets the timeout of a transaction's statements, which includes waiting for locks. */
function limit(deadline: number): Statement {
  return { text: `set local statement_timeout = ${Math.max(1, Math.ceil(deadline - performance.now())) + NET_MS}` };
}

/**
 * Runs `body` between BEGIN and COMMIT; rolls back if it throws, or if the active call is cancelled. Statements without a result are
 * pipelined: BEGIN with the first statement, added ones with the next or with COMMIT.
 *
 * A statement that runs during a rollback is cancelled. COMMIT is not: it completes, or its connection is closed, and the outcome is
 * unknown.
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

  // A body that continues after its transaction has ended must not run statements in the connection's next transaction.
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

  /** Rolls back. A statement that is not awaited may still be running. */
  async function giveUp(): Promise<void> {
    if (running !== undefined) {
      const cancellation = new Cancellation(client);
      await running.catch(() => undefined);
      await cancellation.settled();
    }
    const late = setTimeout(() => streamOf(client)?.destroy(), END_MS);
    // If that fails, too, the connection is lost, and its transaction with it.
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

/** The part of a client that Drizzle uses. Each statement is reported to the active call. */
export function measured(run: Query, span: string): pg.PoolClient {
  const query: Query = (config, values) => timedQuery(span, config.text, () => run(config, values));
  return { query } as unknown as pg.PoolClient;
}

/** The same, for a database without prepared statements. */
export function unnamed<S extends Statement | pg.QueryArrayConfig>(statement: S): S {
  return { ...statement, name: undefined };
}

function timedQuery<T>(span: string, text: string, run: () => Promise<T>): Promise<T> {
  return activeCollectors() === undefined ? run() : timed(span, summary(text), run);
}
