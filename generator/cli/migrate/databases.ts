import { type DatabaseStatus, statusOf, verify as verifyOne } from "../../migrate/check.js";
import type { ServiceDatabase } from "../../migrate/databases.js";
import { loadRunner } from "../../migrate/runner.js";
import type { CommandOutcome } from "../print/act.js";

/** Applies the pending migrations of each database. A failure of one does not stop the others. */
export async function up(databases: readonly ServiceDatabase[]): Promise<CommandOutcome> {
  const { migrate } = await loadRunner();
  const results: { service: string; applied: readonly string[]; error?: string }[] = [];
  for (const { service, url, directory } of databases) {
    try {
      results.push({ service, applied: await migrate({ url, directory }) });
    } catch (error) {
      results.push({ service, applied: [], error: (error as Error).message });
    }
  }
  return {
    result: results,
    lines: results.flatMap(({ service, applied, error }) => {
      if (error !== undefined) return [`${service}: ${error}`];
      return applied.length === 0 ? [`${service}: up to date`] : applied.map((name) => `${service}: applied ${name}`);
    }),
    code: results.some(({ error }) => error !== undefined) ? 1 : 0,
  };
}

export async function status(databases: readonly ServiceDatabase[]): Promise<CommandOutcome> {
  const all = await each(databases, statusOf);
  return {
    result: all,
    lines: all.flatMap(({ service, applied, pending, faults }) => [
      ...applied.map((name) => `${service}: applied ${name}`),
      ...pending.map(({ name, done }) =>
        done === undefined
          ? `${service}: pending ${name}`
          : `${service}: pending ${name}, interrupted after ${done} of its statements outside a transaction`,
      ),
      ...faults.map((fault) => `${service}: ${fault}`),
    ]),
    code: all.some(({ pending, faults }) => pending.length + faults.length > 0) ? 100 : 0,
  };
}

export async function verify(databases: readonly ServiceDatabase[], root: string): Promise<CommandOutcome> {
  const all = await each(databases, (database) => verifyOne(root, database));
  return {
    result: all,
    lines: all.flatMap(({ service, faults }) =>
      faults.length === 0 ? [`${service}: as its migrations say`] : faults.map((fault) => `${service}: ${fault}`),
    ),
    code: all.some(({ faults }) => faults.length > 0) ? 100 : 0,
  };
}

async function each(
  databases: readonly ServiceDatabase[],
  look: (database: ServiceDatabase) => Promise<DatabaseStatus>,
): Promise<DatabaseStatus[]> {
  const all: DatabaseStatus[] = [];
  for (const database of databases) {
    try {
      all.push(await look(database));
    } catch (error) {
      throw new Error(`${database.service}: ${(error as Error).message}`, { cause: error });
    }
  }
  return all;
}
