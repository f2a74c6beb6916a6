import { longestName } from "../contract/entities/sql-name.js";
import type { Changes } from "./changes.js";
import { planNullability, planType } from "./plan-types.js";
import type { ColumnSnapshot, DroppedColumn, TableSnapshot } from "./snapshot.js";
import { addColumn, alterColumn, dropColumn, quoted, renameColumn } from "./sql.js";
import { dropField } from "./steps.js";

/** Plans the changes of one table's columns. */
export function planColumns(old: TableSnapshot, table: TableSnapshot, changes: Changes): void {
  for (const column of table.columns) {
    const known = old.columns.find(({ field }) => field === column.field);
    if (known === undefined) {
      planAddition(old, table, column, changes);
    } else if (known.name !== column.name && isOtherType(known, column)) {
      refuseReuse(table, known, column, changes);
    } else {
      planRename(old, table, known, column, changes);
      planType(table, known, column, changes);
      planNullability(table, known, column, changes);
      planDefault(table, known, column, changes);
    }
  }
  for (const column of old.columns) {
    if (!table.columns.some(({ field }) => field === column.field)) planDrop(table, column, changes);
  }
}

/** Refuses fields that reuse the number of a removed one. */
export function refuseReused(table: TableSnapshot, buried: readonly DroppedColumn[], changes: Changes): void {
  for (const column of table.columns) {
    const lost = buried.find(({ field }) => field === column.field);
    if (lost !== undefined) refuseReuse(table, lost, column, changes);
  }
}

function refuseReuse(table: TableSnapshot, was: DroppedColumn, column: ColumnSnapshot, changes: Changes): void {
  changes.refuse({
    rule: "MIGRATION_NUMBER_REUSED",
    message: table.message,
    field: column.field,
    problem: `Number ${was.field} was ${was.name} (${was.json ?? was.type}), and messages that are stored or under way still say so. Give ${column.name} a number that no field ever had, and write reserved ${was.field}`,
    title: `change_${table.name}_${column.name}`,
  });
}

function isOtherType(from: ColumnSnapshot, to: ColumnSnapshot): boolean {
  return from.type !== to.type || from.json !== to.json;
}

function planAddition(old: TableSnapshot, table: TableSnapshot, column: ColumnSnapshot, changes: Changes): void {
  const title = `add_${table.name}_${column.name}`;
  const renumbered = old.columns.find(
    ({ name, field }) => name === column.name && !table.columns.some((candidate) => candidate.field === field),
  );
  if (renumbered !== undefined) {
    changes.refuse({
      rule: "MIGRATION_NUMBER_REUSED",
      message: table.message,
      field: column.field,
      problem: `${column.name} was number ${renumbered.field} and is ${column.field} now, so it is another field with its name. Give it back its number; or, if it is meant to be another, its own name`,
      title,
    });
  } else if (column.nullable || column.default !== undefined) {
    changes.plan("add", addColumn(table, column), title);
  } else {
    changes.refuse({
      rule: "MIGRATION_REFUSED",
      message: table.message,
      field: column.field,
      problem: `${column.name} is required, so existing rows need a value, and there is none. Make it optional`,
      statement: addColumn(table, { ...column, default: "…" }).sql,
      title,
    });
  }
}

function planDrop(table: TableSnapshot, column: ColumnSnapshot, changes: Changes): void {
  const title = `drop_${table.name}_${column.name}`;
  const planned = changes.allows({
    rule: "MIGRATION_LOSES_DATA",
    message: table.message,
    problem: `${table.message} has no field ${column.field} any more, and dropping its column ${quoted(column.name)} would lose what is in it. Keep the field, marked deprecated`,
    steps: dropField(column),
    statement: dropColumn(table, column).sql,
    title,
  });
  if (planned) changes.plan("drop", dropColumn(table, column), title);
}

function planRename(
  old: TableSnapshot,
  table: TableSnapshot,
  from: ColumnSnapshot,
  to: ColumnSnapshot,
  changes: Changes,
): void {
  // Names in snapshots may be longer than those that PostgreSQL keeps.
  if (from.name.slice(0, longestName) === to.name) return;
  const title = `rename_${table.name}_${from.name}_to_${to.name}`;
  const taken = old.columns.find(({ name }) => name === to.name);
  if (taken === undefined) {
    changes.plan("rename", renameColumn(table, from, to), title);
    return;
  }
  changes.refuse({
    rule: "MIGRATION_REFUSED",
    message: table.message,
    field: to.field,
    problem: `The column ${quoted(from.name)} is to be called ${quoted(to.name)}, which is the column of field ${taken.field}. Give that one its new name first, in a migration of its own`,
    statement: renameColumn(table, from, to).sql,
    title,
  });
}

/** The default of a closed enum, its first value, may change. */
function planDefault(table: TableSnapshot, from: ColumnSnapshot, to: ColumnSnapshot, changes: Changes): void {
  if (from.default === undefined || to.default === undefined || from.default === to.default) return;
  if (isOtherType(from, to)) return;
  changes.plan("alter", alterColumn(table, to, `SET DEFAULT ${to.default}`), `change_${table.name}_${to.name}`);
}
