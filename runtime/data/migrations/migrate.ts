import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { fromDatabase, unavailable } from "../postgres/errors.js";
import { MigrationError, readMigrations } from "./files.js";
import { contradictions, isApplied, otherService, readLedger } from "./ledger.js";
import { applyOwnTables, hasOwnTables } from "./own.js";
import { applyFile } from "./run.js";

export interface MigrateOptions {
  /** `postgres://user:password@host:port/database`; the user must be allowed to create tables. */
  readonly url: string;
  /** The folder with `NNNN_name.sql` files. */
  readonly directory: URL;
  /**
   * The lock timeout of a statement, in milliseconds. Other statements queue behind a waiting lock; after the timeout they proceed, and
   * the statement is retried, five times in all. Default 5000.
   */
  readonly lockTimeoutMs?: number;
}

/** The idempotent statements that create the runtime's own tables, besides those of the service. */
interface OwnTables {
  readonly tables: string;
}

/** The state of a database relative to a folder of migrations. */
export interface MigrationStatus {
  /** The files that were applied completely. */
  readonly applied: readonly string[];
  /** The files that were not; `done` is the number of completed statements outside a transaction in an interrupted file. */
  readonly pending: readonly { readonly name: string; readonly done?: number }[];
  /** The conflicts, and how to resolve them. */
  readonly faults: readonly string[];
}

/** The key of the advisory lock. It is arbitrary, and applies to one database only. */
const LOCK = 270_100;
const LOCK_POLL_MS = 100;

/** `migrate` of service/migrations.ts, with the runtime tables that the service uses. */
export async function migrate({
  url,
  directory,
  tables,
  lockTimeoutMs = 5000,
}: MigrateOptions & OwnTables): Promise<string[]> {
  const files = await readMigrations(directory);
  return connected(url, async (client) => {
    await lock(client);
    await applyOwnTables(client, tables, { lockTimeoutMs });
    const ledger = (await readLedger(client)) ?? new Map();
    const faults = contradictions(files, ledger);
    if (faults.length > 0) throw new MigrationError(["nothing was migrated:", ...faults].join("\n  "));
    const missing = files.filter((file) => !isApplied(ledger, file));
    for (const file of missing) await applyFile(client, file, ledger.get(file.name), { lockTimeoutMs });
    return missing.map((file) => file.name);
  });
}

/** Returns which files are applied and which are pending; changes nothing. */
export async function migrationStatus({ url, directory }: MigrateOptions): Promise<MigrationStatus> {
  const files = await readMigrations(directory);
  return connected(url, async (client) => {
    const ledger = (await readLedger(client)) ?? new Map();
    const pending = files.filter((file) => !isApplied(ledger, file));
    return {
      applied: files.filter((file) => isApplied(ledger, file)).map(({ name }) => name),
      pending: pending.map(({ name }) => ({
        name,
        ...(ledger.has(name) && { done: ledger.get(name)?.progress ?? 0 }),
      })),
      faults: contradictions(files, ledger),
    };
  });
}

/** `verifyMigrated` of service/migrations.ts, with the runtime tables that the service uses. */
export async function verifyMigrated({ url, directory, tables }: MigrateOptions & OwnTables): Promise<void> {
  const files = await readMigrations(directory);
  await connected(url, async (client) => {
    const ledger = await readLedger(client);
    const foreign = ledger && otherService(files, ledger);
    if (foreign !== undefined) throw new MigrationError(foreign);
    const missing = files.filter((file) => ledger === undefined || !isApplied(ledger, file)).map((file) => file.name);
    if (missing.length === 0 && (await hasOwnTables(client, tables))) return;
    const what = missing.length === 0 ? "the runtime's own tables" : missing.join(", ");
    throw new MigrationError(`the database lacks ${what}: start the service once with MIGRATE=on`);
  });
}

/**
 * Waits until no other process migrates. The lock is polled: a statement that waits for it would hold a snapshot, and CREATE INDEX
 * CONCURRENTLY in the other process waits for old snapshots. The lock is released when the connection ends.
 */
async function lock(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query(`SELECT pg_try_advisory_lock($1) AS "locked"`, [LOCK]);
    if (rows[0].locked) return;
    await sleep(LOCK_POLL_MS);
  }
}

async function connected<T>(url: string, run: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000, keepAlive: true });
  // Statements report a lost connection themselves.
  client.on("error", () => undefined);
  try {
    await client.connect().catch((error: unknown) => {
      if (error instanceof pg.DatabaseError) throw error;
      const { host } = new URL(url);
      throw unavailable(`no database answers at ${host}: start it, or check DATABASE_URL`, error as Error);
    });
    return await run(client);
  } catch (error) {
    throw error instanceof MigrationError ? error : fromDatabase(error);
  } finally {
    await client.end();
  }
}
