import type pg from "pg";
import type { MigrationFile } from "./files.js";

/** A row of the ledger: an applied migration. */
export interface LedgerLine {
  readonly sha256: string;
  /** The number of completed statements outside a transaction; null once the whole file is applied. */
  readonly progress: number | null;
}

/** The applied migrations by file name. */
export type Ledger = ReadonlyMap<string, LedgerLine>;

/** Returns the ledger of a database, or undefined if it was never migrated. */
export async function readLedger(client: pg.Client): Promise<Ledger | undefined> {
  const { rows } = await client.query(`SELECT to_regclass('"scaffold_migrations"') IS NOT NULL AS "exists"`);
  if (!rows[0].exists) return undefined;
  // Rows are read as JSON, because an old ledger has no column `progress`.
  const lines = await client.query(`SELECT to_jsonb("line") AS "line" FROM "scaffold_migrations" AS "line"`);
  return new Map(
    lines.rows.map(({ line }) => [line.name, { sha256: line.sha256, progress: line.progress ?? null }] as const),
  );
}

/** Returns whether a file was applied completely. */
export function isApplied(ledger: Ledger, { name }: MigrationFile): boolean {
  return ledger.get(name)?.progress === null;
}

/** Returns a problem if the database belongs to another service: it was migrated, but with none of these files. */
export function otherService(files: readonly MigrationFile[], ledger: Ledger): string | undefined {
  if (files.length === 0 || ledger.size === 0 || files.some(({ name }) => ledger.has(name))) return undefined;
  const names = [...ledger.keys()].sort();
  const some = names.length > 3 ? `${names.slice(0, 3).join(", ")}, …` : names.join(", ");
  return `the database has the migrations of another service (${some}): check DATABASE_URL`;
}

/** Returns all conflicts between a database and the files, and how to resolve them. */
export function contradictions(files: readonly MigrationFile[], ledger: Ledger): string[] {
  const foreign = otherService(files, ledger);
  if (foreign !== undefined) return [foreign];
  const byName = new Map(files.map((file) => [file.name, file]));
  const newest = files.at(-1)?.name ?? "";
  return [...ledger].sort().flatMap(([name, { sha256, progress }]) => {
    const file = byName.get(name);
    if (file === undefined) {
      return name > newest
        ? [
            `${name} was applied, but is not here, for the database is newer: run the version of the service that has it, or restore the file`,
          ]
        : [`${name} was applied, but is not here: run the version of the service that has it, or restore the file`];
    }
    if (file.sha256 === sha256) return [];
    return progress === null
      ? [`${name} was changed after it was applied: restore it, and put the change into a new file`]
      : [
          `${name} was changed when its first part and ${progress} of its statements outside a transaction were applied: restore it, migrate, and put the change into a new file`,
        ];
  });
}
