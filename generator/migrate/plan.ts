import { type Allowable, Changes, type Migration, type RefusedChange } from "./changes.js";
import { planColumns, refuseReused } from "./plan-columns.js";
import { planConstraints, releaseTable } from "./plan-constraints.js";
import { planIndexes } from "./plan-indexes.js";
import { planJson } from "./plan-json.js";
import type { SchemaSnapshot, TableSnapshot } from "./snapshot.js";
import { alterTable, createTable, dropTable, quoted, renameTable } from "./sql.js";
import { dropEntity } from "./steps.js";
import { droppedFrom, predecessor } from "./tombstones.js";

/** The schema before the first migration. */
export const emptySchema: SchemaSnapshot = { version: 1, tables: [], messages: {} };

/**
 * Plans the migration from one schema to another: creates tables and indexes, adds columns, and renames declarations with a new
 * name and the same number. A change that would lose data or break a process of the previous version is refused unless it is
 * allowed. All refusals are reported, and then nothing is planned.
 */
export function planMigration(
  before: SchemaSnapshot,
  after: SchemaSnapshot,
  allowed: readonly Allowable[] = [],
): Migration | { readonly refusals: readonly RefusedChange[] } {
  const changes = new Changes(allowed);
  for (const table of after.tables) {
    const old = predecessor(before, table);
    refuseReused(table, droppedFrom(before, table), changes);
    if (old === undefined) {
      changes.plan("create", createTable(table), `create_${table.name}`);
    } else {
      planIdentity(old, table, after, changes);
      planName(old, table, before, changes);
      planKey(old, table, changes);
      planColumns(old, table, changes);
    }
    planIndexes(old, table, changes);
    planConstraints(old, table, before, after, changes);
  }
  for (const old of before.tables) {
    if (!after.tables.some((table) => predecessor(before, table) === old)) planDrop(old, after, changes);
  }
  planJson(before, after, changes);
  return changes.result();
}

/** Records the new name of a message even if its table keeps its name. */
function planIdentity(old: TableSnapshot, table: TableSnapshot, after: SchemaSnapshot, changes: Changes): void {
  if (old.message === table.message) return;
  const heirs = after.tables.filter(({ message, renamedFrom }) => [message, renamedFrom].includes(old.message));
  if (heirs.length === 1) {
    if (old.name === table.name) changes.note(`rename_message_of_${table.name}`);
    return;
  }
  const others = heirs.filter((heir) => heir !== table).map(({ message }) => message);
  changes.refuse({
    rule: "MIGRATION_REFUSED",
    message: table.message,
    problem: `${table.message} says that it was ${old.message}, whose table ${others.join(" and ")} has too. Only one of them can have it: remove renamed_from`,
    title: `rename_${old.name}_to_${table.name}`,
  });
}

function planName(old: TableSnapshot, table: TableSnapshot, before: SchemaSnapshot, changes: Changes): void {
  if (old.name === table.name) return;
  const title = `rename_${old.name}_to_${table.name}`;
  const owner = before.tables.find(({ name }) => name === table.name);
  if (owner === undefined) {
    changes.plan("rename", renameTable(old, table), title);
    return;
  }
  changes.refuse({
    rule: "MIGRATION_REFUSED",
    message: table.message,
    problem: `The table ${quoted(old.name)} is to be called ${quoted(table.name)}, which is ${owner.message}'s. Give that one its new name first, in a migration of its own`,
    statement: renameTable(old, table).sql,
    title,
  });
}

function planKey(old: TableSnapshot, table: TableSnapshot, changes: Changes): void {
  if (old.key === table.key) return;
  const key = table.columns.find(({ field }) => field === table.key)!;
  changes.refuse({
    rule: "MIGRATION_REFUSED",
    message: table.message,
    field: table.key,
    problem: `The key of ${table.message} is another field now, and references to its rows would break. Keep the key, and make ${key.name} a unique index`,
    statement: `${alterTable(table)} DROP CONSTRAINT ${quoted(`${old.name}_pkey`)}, ADD PRIMARY KEY (${quoted(key.name)})`,
    title: `change_${table.name}_key`,
  });
}

function planDrop(old: TableSnapshot, after: SchemaSnapshot, changes: Changes): void {
  const planned = changes.allows({
    rule: "MIGRATION_LOSES_DATA",
    message: old.message,
    problem: `${old.message} is no longer an entity of this service, and dropping its table ${quoted(old.name)} would lose the rows. Keep it in the service's entities; if it has a new name, say so: renamed_from: "${old.message}"`,
    steps: dropEntity(old.message),
    statement: dropTable(old).sql,
    title: `drop_${old.name}`,
  });
  // Rename it first if another table takes its name.
  const phase = after.tables.some(({ name }) => name === old.name) ? "rename" : "drop";
  if (!planned) return;
  releaseTable(old, changes);
  changes.plan(phase, dropTable(old), `drop_${old.name}`);
}
