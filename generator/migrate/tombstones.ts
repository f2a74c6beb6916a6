import type { ColumnSnapshot, DroppedColumn, SchemaSnapshot, TableSnapshot } from "./snapshot.js";

/** Returns the previous version of a table, by its message's name or former name. */
export function predecessor(before: SchemaSnapshot, table: TableSnapshot): TableSnapshot | undefined {
  return (
    before.tables.find(({ message }) => message === table.message) ??
    before.tables.find(({ message }) => message === table.renamedFrom)
  );
}

/** Adds the dropped tables and fields to a schema, so that no field reuses a number. */
export function withTombstones(before: SchemaSnapshot, after: SchemaSnapshot): SchemaSnapshot {
  const tables = after.tables.map((table) => {
    const dropped = [...droppedFrom(before, table), ...removedColumns(predecessor(before, table), table)];
    return dropped.length === 0 ? table : { ...table, dropped: byNumber(dropped) };
  });
  const lost = before.tables
    .filter((old) => !after.tables.some((table) => predecessor(before, table) === old))
    .map((old) => ({
      message: old.message,
      name: old.name,
      dropped: byNumber([...(old.dropped ?? []), ...old.columns.map(tombstone)]),
    }));
  const back = new Set(after.tables.map(({ message }) => message));
  const dropped = [...(before.dropped ?? []), ...lost]
    .filter(({ message }) => !back.has(message))
    .sort((a, b) => (a.message < b.message ? -1 : 1));
  return { ...after, tables, ...(dropped.length > 0 && { dropped }) };
}

/** Returns the dropped fields of a table. If the table itself was dropped, fields that it has again are not among them. */
export function droppedFrom(before: SchemaSnapshot, table: TableSnapshot): readonly DroppedColumn[] {
  const old = predecessor(before, table);
  if (old !== undefined) return old.dropped ?? [];
  const lost = before.dropped?.find(({ message }) => message === table.message);
  const same = ({ field, type, json }: DroppedColumn) =>
    table.columns.some((column) => column.field === field && column.type === type && column.json === json);
  return lost?.dropped.filter((column) => !same(column)) ?? [];
}

function removedColumns(old: TableSnapshot | undefined, table: TableSnapshot): DroppedColumn[] {
  return (old?.columns ?? [])
    .filter(({ field }) => !table.columns.some((column) => column.field === field))
    .map(tombstone);
}

function tombstone({ field, name, type, json }: ColumnSnapshot): DroppedColumn {
  return { field, name, type, ...(json !== undefined && { json }) };
}

function byNumber(columns: readonly DroppedColumn[]): DroppedColumn[] {
  return columns.toSorted((a, b) => a.field - b.field);
}
