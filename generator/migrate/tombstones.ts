import type { ColumnSnapshot, DroppedColumn, SchemaSnapshot, TableSnapshot } from "./snapshot.js";

/** The table that a table was before: its message's, or that of the name that the message had then. */
export function predecessor(before: SchemaSnapshot, table: TableSnapshot): TableSnapshot | undefined {
  return (
    before.tables.find(({ message }) => message === table.message) ??
    before.tables.find(({ message }) => message === table.renamedFrom)
  );
}

/** A schema with all that was dropped on the way to it, so that no number is ever given to another field. */
export function withTombstones(before: SchemaSnapshot, after: SchemaSnapshot): SchemaSnapshot {
  const tables = after.tables.map((table) => {
    const graves = [...buriedIn(before, table), ...columnsGone(predecessor(before, table), table)];
    return graves.length === 0 ? table : { ...table, dropped: byNumber(graves) };
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

/** What was dropped of a table so far. If the table itself was, the fields that it has in common with then are back. */
export function buriedIn(before: SchemaSnapshot, table: TableSnapshot): readonly DroppedColumn[] {
  const old = predecessor(before, table);
  if (old !== undefined) return old.dropped ?? [];
  const grave = before.dropped?.find(({ message }) => message === table.message);
  const same = ({ field, type, json }: DroppedColumn) =>
    table.columns.some((column) => column.field === field && column.type === type && column.json === json);
  return grave?.dropped.filter((column) => !same(column)) ?? [];
}

function columnsGone(old: TableSnapshot | undefined, table: TableSnapshot): DroppedColumn[] {
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
