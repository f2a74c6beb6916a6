import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { layOut } from "../text/json-layout.js";
import type { SchemaSnapshot } from "./snapshot.js";

/** The contents of a service's folder of migrations. */
export interface MigrationFolder {
  /** Relative to the project's root. */
  readonly path: string;
  /** The names of migrations, without ".sql", in order. */
  readonly migrations: readonly string[];
  /** The newest recorded schema. Undefined: there is none. */
  readonly recorded: { readonly name: string; readonly schema: SchemaSnapshot } | undefined;
  /** A newer schema without its migration: a run was killed between writing the two. */
  readonly unfinished: { readonly name: string; readonly schema: SchemaSnapshot } | undefined;
  /** The faults of the folder, and how to fix them. */
  readonly faults: readonly string[];
}

/** Reads a service's folder of migrations. A missing folder is empty. */
export async function readFolder(root: string, path: string): Promise<MigrationFolder> {
  const entries = (await readdir(join(root, path)).catch(absent)) ?? [];
  const migrations = entries.flatMap((entry) => /^(\d{4}_[a-z0-9_]+)\.sql$/.exec(entry)?.[1] ?? []).sort();
  const snapshots = entries.flatMap((entry) => /^(\d{4}_[a-z0-9_]+)\.json$/.exec(entry)?.[1] ?? []).sort();
  const newest = snapshots.at(-1);
  const started = newest !== undefined && newest > (migrations.at(-1) ?? "") ? newest : undefined;
  const faults = [
    ...migrations.flatMap((name, i) => {
      const before = migrations[i - 1];
      if (before?.slice(0, 4) !== name.slice(0, 4)) return [];
      return `${path} has two migrations with one number, ${before}.sql and ${name}.sql. Delete the one that was not released, with its .json, and run scaffold generate again`;
    }),
    ...snapshots
      .filter((name) => !migrations.includes(name) && name !== started)
      .map((name) => lostMigration(path, name)),
  ];
  const read = async (name: string | undefined) => {
    if (name === undefined) return undefined;
    const schema = parse(await readFile(join(root, path, `${name}.json`), "utf8"));
    if (schema !== undefined) return { name, schema };
    faults.push(`${path}/${name}.json is not a snapshot of a schema. Restore it from version control`);
    return undefined;
  };
  const recorded = await read(snapshots.findLast((name) => name !== started));
  return { path, migrations, recorded, unfinished: await read(started), faults };
}

/** Returns the fault of a schema without its migration. */
export function lostMigration(path: string, name: string): string {
  return `${path}/${name}.json has lost its migration. Restore ${name}.sql, or delete the .json too`;
}

/** Prints a snapshot with a line for each column and index, so that a review shows what changed. */
export function print(schema: SchemaSnapshot): string {
  return `${layOut(schema, 4)}\n`;
}

function parse(text: string): SchemaSnapshot | undefined {
  try {
    const schema: Partial<SchemaSnapshot> | null = JSON.parse(text);
    const isSnapshot = schema?.version === 1 && Array.isArray(schema.tables) && schema.messages !== undefined;
    return isSnapshot ? (schema as SchemaSnapshot) : undefined;
  } catch {
    return undefined;
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
