import type { ColumnSnapshot, IndexSnapshot, TableSnapshot } from "./snapshot.js";
import type { Statement } from "./statement.js";

/** A name, as SQL quotes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function createTable(table: TableSnapshot): Statement {
  const lines = table.columns.map((column) => `  ${columnDefinition(column, column.field === table.key)}`);
  return {
    sql: `CREATE TABLE ${quoted(table.name)} (\n${lines.join(",\n")}\n)`,
    lock: "none",
    rows: "untouched",
  };
}

export function dropTable(table: TableSnapshot): Statement {
  return {
    ...exclusive(`DROP TABLE ${quoted(table.name)}`),
    losesData: true,
    breaksOld: true,
  };
}

/** A column with a constant default is added without a look at the rows (PostgreSQL 11 and later). */
export function addColumn(table: TableSnapshot, column: ColumnSnapshot): Statement {
  return exclusive(`${alterTable(table)} ADD COLUMN ${columnDefinition(column, false)}`);
}

export function dropColumn(table: TableSnapshot, column: ColumnSnapshot): Statement {
  return {
    ...exclusive(`${alterTable(table)} DROP COLUMN ${quoted(column.name)}`),
    losesData: true,
    breaksOld: true,
  };
}

export function renameTable(from: TableSnapshot, to: TableSnapshot): Statement {
  return {
    ...exclusive(`${alterTable(from)} RENAME TO ${quoted(to.name)}`),
    breaksOld: true,
    hint: `Safe beside it is to keep the table's name: option (scaffold.v1.entity) = {table: "${from.name}"}`,
  };
}

export function renameColumn(table: TableSnapshot, from: ColumnSnapshot, to: ColumnSnapshot): Statement {
  return {
    ...exclusive(`${alterTable(table)} RENAME COLUMN ${quoted(from.name)} TO ${quoted(to.name)}`),
    breaksOld: true,
    hint: `Safe beside it is to keep the column's name: [(scaffold.v1.field).column = "${from.name}"]`,
  };
}

/** For a table that is new itself. */
export function createIndex(table: TableSnapshot, index: IndexSnapshot): Statement {
  const create = index.unique ? "CREATE UNIQUE INDEX" : "CREATE INDEX";
  return { sql: `${create} ${indexDefinition(table, index)}`, lock: "none", rows: "untouched" };
}

/** For a table that is in use. */
export function createIndexConcurrently(table: TableSnapshot, index: IndexSnapshot): Statement {
  const create = index.unique ? "CREATE UNIQUE INDEX CONCURRENTLY" : "CREATE INDEX CONCURRENTLY";
  return {
    ...concurrent(`${create} ${indexDefinition(table, index)}`, "scanned"),
    ...(index.unique && { hint: "Fails if two rows share these values already: settle those first" }),
  };
}

export function dropIndexConcurrently(index: IndexSnapshot): Statement {
  return concurrent(`DROP INDEX CONCURRENTLY IF EXISTS ${quoted(index.name)}`, "untouched");
}

export function renameIndex(from: IndexSnapshot, to: IndexSnapshot): Statement {
  return concurrent(`ALTER INDEX ${quoted(from.name)} RENAME TO ${quoted(to.name)}`, "untouched");
}

export function alterTable(table: TableSnapshot): string {
  return `ALTER TABLE ${quoted(table.name)}`;
}

export function alterColumn(table: TableSnapshot, column: ColumnSnapshot, action: string): Statement {
  return exclusive(`${alterTable(table)} ALTER COLUMN ${quoted(column.name)} ${action}`);
}

/** Nobody reads or writes the table meanwhile, so it must be short. */
export function exclusive(sql: string): Statement {
  return { sql, lock: "ACCESS EXCLUSIVE", rows: "untouched" };
}

/** Reads and writes go on meanwhile. */
export function concurrent(sql: string, rows: Statement["rows"]): Statement {
  return { sql, lock: "SHARE UPDATE EXCLUSIVE", rows };
}

function indexDefinition(table: TableSnapshot, index: IndexSnapshot): string {
  const columns = index.fields.map((number) => quoted(table.columns.find(({ field }) => field === number)!.name));
  return `${quoted(index.name)} ON ${quoted(table.name)} (${columns.join(", ")})`;
}

function columnDefinition(column: ColumnSnapshot, isKey: boolean): string {
  const definition = `${quoted(column.name)} ${column.type}`;
  // Compared byte by byte: pages of a list come in the same order on every machine, and an update of the operating
  // system's collations never leaves the index out of order.
  if (isKey) return `${definition} COLLATE "C" PRIMARY KEY`;
  if (column.nullable) return definition;
  return `${definition} NOT NULL${column.default === undefined ? "" : ` DEFAULT ${column.default}`}`;
}
