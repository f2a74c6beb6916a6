import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { MigrationError, type MigrationFile } from "./files.js";
import { dropInvalid, indexBuiltBy, stateOf } from "./index.js";
import type { LedgerLine } from "./ledger.js";

/** The number of attempts at a lock; between attempts, statements that queued behind it proceed. */
const ATTEMPTS = 5;
const LOCK_NOT_AVAILABLE = "55P03";
const DEADLOCK_DETECTED = "40P01";

export interface RunOptions {
  /** The lock timeout of a statement, during which later statements queue behind it. */
  readonly lockTimeoutMs: number;
}

/** Applies a file, or the rest of an interrupted one. */
export async function applyFile(
  client: pg.Client,
  file: MigrationFile,
  line: LedgerLine | undefined,
  options: RunOptions,
): Promise<void> {
  // The session's limits for ordinary statements would cancel a scan of a large table.
  await client.query("SET statement_timeout = 0");
  if (line === undefined) await applyInside(client, file, options);
  for (let i = line?.progress ?? 0; i < file.outside.length; i++) {
    await applyAlone(client, file, i, i === line?.progress, options);
  }
}

/** Applies the first part of a file and inserts its ledger row in one transaction. */
async function applyInside(client: pg.Client, file: MigrationFile, options: RunOptions): Promise<void> {
  const { name, inside, outside, sha256 } = file;
  await patiently(options, async () => {
    await client.query("BEGIN");
    try {
      await client.query(`SET LOCAL lock_timeout = ${options.lockTimeoutMs}`);
      await client.query(inside);
      await client.query(`INSERT INTO "scaffold_migrations" ("name", "sha256", "progress") VALUES ($1, $2, $3)`, [
        name,
        sha256,
        outside.length === 0 ? null : 0,
      ]);
      await client.query("COMMIT");
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error;
      await client.query("ROLLBACK");
      throw failure(file, 0, error, "nothing of this file was applied");
    }
  });
}

/** @param again whether an interrupted run may have started or completed this statement */
async function applyAlone(
  client: pg.Client,
  file: MigrationFile,
  position: number,
  again: boolean,
  options: RunOptions,
): Promise<void> {
  const { sql, offset } = file.outside[position]!;
  const index = indexBuiltBy(sql);
  const state = index && (await stateOf(client, index));
  if (index !== undefined && state === "invalid") await dropInvalid(client, index);
  if (!(again && state === "valid")) {
    await patiently(options, async () => {
      // A CONCURRENTLY statement may wait for long, but no other statement queues behind it.
      const waits = /\bCONCURRENTLY\b|\bVALIDATE\b/i.test(sql);
      await client.query(`SET lock_timeout = ${waits ? 0 : options.lockTimeoutMs}`);
      try {
        await client.query(sql);
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) throw error;
        if (index !== undefined) await dropInvalid(client, index);
        const nothing = position === 0 && file.inside.trim() === "";
        // Nothing was applied, so the file may still be edited.
        if (nothing) await client.query(`DELETE FROM "scaffold_migrations" WHERE "name" = $1`, [file.name]);
        const done = nothing
          ? "nothing of this file was applied"
          : "what stands before it was applied, and the next run goes on with this statement";
        throw failure(file, offset, error, done);
      }
    });
  }
  await client.query(`UPDATE "scaffold_migrations" SET "progress" = $2, "applied_at" = now() WHERE "name" = $1`, [
    file.name,
    position + 1 === file.outside.length ? null : position + 1,
  ]);
}

/** Retries a statement that may not get its lock, or that blocks others, several times. */
export async function patiently({ lockTimeoutMs }: RunOptions, run: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      const cause = error instanceof MigrationError ? error.cause : undefined;
      if (!(cause instanceof pg.DatabaseError && isAboutLocks(cause)) || attempt === ATTEMPTS) throw error;
      await sleep(lockTimeoutMs);
    }
  }
}

function failure(file: MigrationFile, offset: number, error: pg.DatabaseError, done: string): MigrationError {
  const at = offset + Number(error.position ?? 1);
  const line = file.sql.slice(0, at).split("\n").length;
  return new MigrationError(`${file.name}:${line}: ${error.message}; ${done}${lockHelp(error)}`, { cause: error });
}

/** Returns how to proceed if other sessions hold the locks that a statement needs. */
export function lockHelp(error: pg.DatabaseError): string {
  return isAboutLocks(error)
    ? "; another transaction uses what this needs: end it (SELECT * FROM pg_stat_activity WHERE state = 'idle in transaction') and migrate again"
    : "";
}

function isAboutLocks({ code }: pg.DatabaseError): boolean {
  return code === LOCK_NOT_AVAILABLE || code === DEADLOCK_DETECTED;
}
