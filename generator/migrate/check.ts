import type { ServiceDatabase } from "./databases.js";
import { differences } from "./differences.js";
import { readFolder } from "./folder.js";
import { readSchema, readWanted } from "./live-schema.js";
import { emptySchema } from "./plan.js";
import { loadRunner } from "./runner.js";
import type { SchemaSnapshot } from "./snapshot.js";

/** The state of a service's database compared with its ledger and its migrations. */
export interface DatabaseStatus {
  readonly service: string;
  readonly applied: readonly string[];
  /** `done`: interrupted after this many statements outside a transaction. */
  readonly pending: readonly { readonly name: string; readonly done?: number }[];
  /** The faults, one sentence each. */
  readonly faults: readonly string[];
}

/** Compares the ledger with the files. */
export async function statusOf({ service, url, directory }: ServiceDatabase): Promise<DatabaseStatus> {
  const { migrationStatus } = await loadRunner();
  return { service, ...(await migrationStatus({ url, directory })) };
}

/** Returns the differences between a database and its newest snapshot. */
export async function differencesOf(wanted: SchemaSnapshot, url: string): Promise<string[]> {
  return differences(wanted, await readSchema(url), await readWanted(url, wanted));
}

/** Compares the ledger with the files and, if everything was applied, the tables with the newest snapshot. */
export async function verify(root: string, database: ServiceDatabase): Promise<DatabaseStatus> {
  const status = await statusOf(database);
  const pending = status.pending.map(({ name, done }) =>
    done === undefined ? `${name} was not applied` : `${name} was applied in part: scaffold migrate up goes on`,
  );
  const folder = await readFolder(root, database.path);
  // Pending migrations are no differences.
  const compared = status.pending.length === 0;
  const wanted = folder.recorded?.schema ?? emptySchema;
  const live = compared ? await differencesOf(wanted, database.url) : [];
  return { ...status, faults: [...folder.faults, ...status.faults, ...pending, ...live] };
}
