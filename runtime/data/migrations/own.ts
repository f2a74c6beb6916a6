import { createHash } from "node:crypto";
import pg from "pg";
import { MigrationError } from "./files.js";
import { lockHelp, patiently, type RunOptions } from "./run.js";
import { splitSql } from "./sql-statements.js";

/** Identifies a set of tables. A database may have had several, because versions of a service run side by side. */
function versionOf(tables: string): string {
  return createHash("sha256").update(tables).digest("hex");
}

/** Returns whether a database has these tables of the runtime. */
export async function hasOwnTables(client: pg.Client, tables: string): Promise<boolean> {
  const { rows } = await client.query(`SELECT to_regclass('"scaffold_runtimes"') IS NOT NULL AS "exists"`);
  if (!rows[0].exists) return false;
  const version = versionOf(tables);
  return (await client.query(`SELECT FROM "scaffold_runtimes" WHERE "tables" = $1`, [version])).rowCount === 1;
}

/**
 * Creates the runtime's tables, unless they exist: then no table is locked. Each statement is its own transaction, because other
 * instances are running: holding one table's lock while waiting for the next could deadlock. The statements are idempotent, so an
 * interrupted run is repeated.
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
