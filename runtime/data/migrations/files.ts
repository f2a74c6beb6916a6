import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type SqlStatement, splitSql } from "./sql-statements.js";

/** A migration file of a service. */
export interface MigrationFile {
  /** The file name: `0001_create_orders.sql`. */
  readonly name: string;
  readonly sql: string;
  /** A digest of its text. Line endings do not count, because git may convert them. */
  readonly sha256: string;
  /** The statements that run in one transaction. */
  readonly inside: string;
  /** The statements that run after it, one by one: those below the line `-- scaffold: outside a transaction`. */
  readonly outside: readonly SqlStatement[];
}

const outsideTransaction = /^-- scaffold: outside a transaction$/m;

/** A conflict between the migration files and the database; the message says how to resolve it. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/** Returns the migrations in a folder, in order. */
export async function readMigrations(directory: URL): Promise<MigrationFile[]> {
  const path = fileURLToPath(directory);
  const entries = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new MigrationError(`there is no folder ${path}: run \`scaffold generate\`, which writes migrations there`);
  });
  const names = entries.filter((name) => name.endsWith(".sql")).sort();
  const faults = [...namesThatAreNone(names), ...numbersTakenTwice(names)];
  if (faults.length > 0) throw new MigrationError([`the migrations in ${path} have no order:`, ...faults].join("\n  "));
  // A URL resolves against its parent unless it ends with a slash.
  const base = new URL(directory.href.endsWith("/") ? directory.href : `${directory.href}/`);
  return Promise.all(
    names.map(async (name) => {
      const sql = (await readFile(new URL(name, base), "utf8")).replaceAll("\r\n", "\n");
      const border = outsideTransaction.exec(sql)?.index ?? sql.length;
      // Blank the first part instead of removing it, so that offsets are those of the file.
      const outside = splitSql(sql.slice(0, border).replace(/[^\n]/g, " ") + sql.slice(border));
      return { name, sql, sha256: sha256(sql), inside: sql.slice(0, border), outside };
    }),
  );
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function namesThatAreNone(names: readonly string[]): string[] {
  return names
    .filter((name) => !/^\d{4}_[a-z0-9_]+\.sql$/.test(name))
    .map((name) => `${name}: name it like 0002_add_orders_note.sql`);
}

function numbersTakenTwice(names: readonly string[]): string[] {
  return names.flatMap((name, i) => {
    const before = names[i - 1];
    return before !== undefined && before.slice(0, 4) === name.slice(0, 4)
      ? [
          `${before} and ${name} have one number: delete the one that was not released, with its .json, and run \`scaffold generate\` again`,
        ]
      : [];
  });
}
