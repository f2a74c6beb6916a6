import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import type { DatabaseTransaction } from "../../data/postgres/driver.js";
import { fromDatabase, unavailable } from "../../data/postgres/errors.js";

/** A connection to a service's database, for somebody who looks after it from outside. */
export interface OperatorConnection {
  query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult>;
  transaction<T>(body: (tx: DatabaseTransaction) => Promise<T>): Promise<T>;
}

/**
 * Does something over a connection of its own.
 *
 * @throws ConnectError that says what is wrong: UNAVAILABLE if no database answers, INTERNAL if it has no tables of events
 */
export async function connected<T>(url: string, run: (connection: OperatorConnection) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "scaffold events",
    connectionTimeoutMillis: 5000,
    keepAlive: true,
  });
  // Statements say themselves when the connection is gone.
  client.on("error", () => undefined);
  try {
    await client.connect().catch((error: unknown) => {
      if (error instanceof pg.DatabaseError) throw error;
      throw unavailable(`no database answers at ${new URL(url).host}: start it, or check its address`, error as Error);
    });
    const database = drizzle({ client });
    return await run({
      query: (text, values = []) => client.query(text, [...values]),
      transaction: (body) => database.transaction(body),
    });
  } catch (error) {
    throw fromDatabase(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
