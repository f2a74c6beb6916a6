import { createHash } from "node:crypto";
import pg from "pg";
import { MigrationError } from "./files.js";
import { lockHelp, patiently, type RunOptions } from "./run.js";
import { splitSql } from "./sql-statements.js";

/** Names a set of tables. A database may have had several: versions of a service run side by side. */
function versionOf(tables: string): string {
  return createHash("sha256").update(tables).digest("hex");
}

/** Whether a database has these tables of the runtime. */
export async function hasOwnTables(client: pg.Client, tables: string): Promise<boolean> {
  const { rows } = await client.query(`SELECT to_regclass('"scaffold_runtimes"') IS NOT NULL AS "exists"`);
  if (!rows[0].exists) return false;
  const version = versionOf(tables);
  return (await client.query(`SELECT FROM "scaffold_runtimes" WHERE "tables" = $1`, [version])).rowCount === 1;
}

/**
 * Gives a database the tables of the runtime, unless it has them: then no lock is taken on any. Each statement is a
 * transaction of its own, for other instances are at work: one that held the lock of a table and waited for the next
 * could wait for somebody who waits for it. What was broken off is done again, which changes nothing.
 */
export async function applyOwnTables(client: pg.Client, tables: string, options: RunOptions): Promise<void> {
  if (await hasOwnTables(client, tables)) return;
  await client.query(`SET lock_timeout = ${options.lockTimeoutMs}`);
  for (const { sql } of splitSql(tables)) {
    await patiently(options, async () => {
      await client.query(sql).catch((error: unknown) => {
        if (!(error instanceof pg.DatabaseError)) throw error;
        throw new MigrationError(`the runtime's own tables: ${error.message}${lockHelp(error)}`, { cause: error });
      });
    });
  }
  const version = versionOf(tables);
  await client.query(`INSERT INTO "scaffold_runtimes" ("tables") VALUES ($1) ON CONFLICT DO NOTHING`, [version]);
}
