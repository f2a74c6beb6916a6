import { type NodePgDatabase, NodePgSession, NodePgTransaction } from "drizzle-orm/node-postgres";
import { PgDialect } from "drizzle-orm/pg-core";
import type pg from "pg";
import { activeTiming, timed } from "../observe/timing.js";
import { runBatch, type Statement } from "./batch.js";

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
  /** Names it in timings. */
  readonly span: string;
  /** Whether it prepares statements that have a name. */
  readonly prepares: boolean;
}

/**
 * Runs `body` between BEGIN and COMMIT; rolls back if it throws. What need not be waited for goes with what is next: BEGIN
 * with the first statement, what was added with the next one or with COMMIT.
 */
export async function inTransaction<T>(
  client: pg.PoolClient,
  manner: Manner,
  body: (tx: DatabaseTransaction) => Promise<T>,
): Promise<T> {
  let waiting: Statement[] = [begin];
  let begun = false;
  let over = false;

  async function send(statement: Statement): Promise<pg.QueryArrayResult> {
    // Whoever goes on when a transaction has ended must not get into the next one on its connection.
    if (over) throw new Error("the transaction is over");
    const statements = [...waiting, statement];
    waiting = [];
    begun = true;
    return (await runBatch(client, manner.prepares ? statements : statements.map(unnamed))).at(-1)!;
  }

  const run: Query = (config, values) => send({ ...config, values } as Statement);
  const session = new NodePgSession(measured(run, manner.span), dialect, undefined);
  const tx = new NodePgTransaction(dialect, session, undefined) as unknown as DatabaseTransaction;
  const timedSend = (statement: Statement) => timedQuery(manner.span, statement.text, () => send(statement));
  connections.set(tx, { run: timedSend, add: (statement) => void waiting.push(statement) });
  try {
    const result = await body(tx);
    if (begun || waiting.length > 1) {
      const { command } = await timedSend(commit);
      if (command !== "COMMIT") throw new Error("a statement of the transaction failed, so it was rolled back");
    }
    return result;
  } catch (error) {
    // Where that fails, too, the connection is gone, and its transaction with it.
    if (begun) await client.query("rollback").catch(() => undefined);
    throw error;
  } finally {
    over = true;
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
  return activeTiming() === undefined ? run() : timed(span, summary(text), run);
}

/** `select orders` for `select "id", … from "orders" where …`. */
function summary(text: string): string {
  const verb = /^\s*(\w+)/.exec(text)?.[1] ?? "query";
  const table = /\b(?:from|into|update)\s+"(\w+)"/i.exec(text)?.[1];
  return table === undefined ? verb : `${verb} ${table}`;
}
