import {
  type MigrateOptions,
  migrate as migrateWith,
  verifyMigrated as verifyWith,
} from "../data/migrations/migrate.js";
import { dataTables } from "../data/migrations/tables.js";
import { eventTables } from "../events/tables.js";
import { sagaTables } from "../saga/tables.js";

/**
 * The runtime's own tables, which every database of a service has: `scaffold_runtimes` names the versions of this text that
 * a database has had.
 */
export const runtimeTables = [dataTables, eventTables, sagaTables].join("\n");

/**
 * Brings a database up to date: applies the migrations that it lacks, in order. Each runs in a transaction of its own
 * together with its line in the ledger; what stands below `-- scaffold: outside a transaction` runs after that, one
 * statement after the other, each of which is noted when it is done. So a crash loses nothing, and the next run goes on.
 * Processes that migrate at the same time wait for each other.
 *
 * @returns the names of the files that were applied
 * @throws MigrationError if an applied file was changed or is gone, or a file fails, with the way out
 */
export function migrate(options: MigrateOptions): Promise<string[]> {
  return migrateWith({ ...options, tables: runtimeTables });
}

/**
 * Checks that a database has all the migrations that this process was built with. It may have more: a newer version of
 * the service may be starting beside this one.
 *
 * @throws MigrationError that names what is missing
 */
export function verifyMigrated(options: MigrateOptions): Promise<void> {
  return verifyWith({ ...options, tables: runtimeTables });
}
