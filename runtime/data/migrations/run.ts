import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { MigrationError, type MigrationFile } from "./files.js";
import { dropInvalid, indexBuiltBy, stateOf } from "./index.js";
import type { LedgerLine } from "./ledger.js";

/** How often a lock is tried for; in between, those who queued behind the statement get on with their work. */
const ATTEMPTS = 5;
const LOCK_NOT_AVAILABLE = "55P03";
const DEADLOCK_DETECTED = "40P01";

export interface RunOptions {
  /** How long a statement that locks out others may wait for its lock, and hold up all that come after it. */
  readonly lockTimeoutMs: number;
}

/** Applies a file, or what a run before has left of it. */
export async function applyFile(
  client: pg.Client,
  file: MigrationFile,
  line: LedgerLine | undefined,
  options: RunOptions,
): Promise<void> {
  // Limits for ordinary statements would end one that reads a large table.
  await client.query("SET statement_timeout = 0");
  if (line === undefined) await applyInside(client, file, options);
  for (let i = line?.progress ?? 0; i < file.outside.length; i++) {
    await applyAlone(client, file, i, i === line?.progress, options);
  }
}

/** The first part of a file and its line in the ledger are there together, or neither is. */
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

/** @param again whether a run before may have begun this statement, or even ended it */
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
      // What runs CONCURRENTLY waits long for others, but nobody waits for it.
      const waits = /\bCONCURRENTLY\b|\bVALIDATE\b/i.test(sql);
      await client.query(`SET lock_timeout = ${waits ? 0 : options.lockTimeoutMs}`);
      try {
        await client.query(sql);
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) throw error;
        if (index !== undefined) await dropInvalid(client, index);
        const nothing = position === 0 && file.inside.trim() === "";
        // Then the file may still be changed.
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

/** Runs something that may find no lock, or be in the way of others who hold some, several times. */
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

/** The way out, if others hold the locks that a statement needs. */
export function lockHelp(error: pg.DatabaseError): string {
  return isAboutLocks(error)
    ? "; another transaction uses what this needs: end it (SELECT * FROM pg_stat_activity WHERE state = 'idle in transaction') and migrate again"
    : "";
}

function isAboutLocks({ code }: pg.DatabaseError): boolean {
  return code === LOCK_NOT_AVAILABLE || code === DEADLOCK_DETECTED;
}
