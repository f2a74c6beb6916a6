import type {
  CheckSnapshot,
  ColumnSnapshot,
  IndexSnapshot,
  ReferenceSnapshot,
  SchemaSnapshot,
  TableSnapshot,
} from "./snapshot.js";
import type { Statement } from "./statement.js";

/** Quotes a name. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function createTable(table: TableSnapshot): Statement {
  const lines = [
    ...table.columns.map((column) => `  ${columnDefinition(column, column.field === table.key)}`),
    ...(table.checks ?? []).map((check) => `  ${checkDefinition(table, check)}`),
  ];
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

/** A column with a constant default is added without a scan (PostgreSQL 11 and later). */
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

/** For a new table. */
export function createIndex(table: TableSnapshot, index: IndexSnapshot): Statement {
  const create = index.unique ? "CREATE UNIQUE INDEX" : "CREATE INDEX";
  return { sql: `${create} ${indexDefinition(table, index)}`, lock: "none", rows: "untouched" };
}

/** For a table in use. */
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

/** Applies to new rows only until it is validated. */
export function addCheck(table: TableSnapshot, check: CheckSnapshot): Statement {
  return {
    ...exclusive(`${alterTable(table)} ADD ${checkDefinition(table, check)} NOT VALID`),
    hint: "From now on no process, not even of the previous version, can write rows that violate it",
  };
}

/** Applies to new rows only until it is validated. */
export function addReference(table: TableSnapshot, reference: ReferenceSnapshot, schema: SchemaSnapshot): Statement {
  const target = tableOf(reference.message, schema);
  return {
    sql: `${alterTable(table)} ADD ${referenceDefinition(table, reference, target)} NOT VALID`,
    lock: "SHARE ROW EXCLUSIVE",
    rows: "untouched",
    hint: `It locks ${quoted(target.name)} too. From now on no process, not even of the previous version, can write rows that violate it`,
  };
}

/** For a new table. The table that it refers to may be in use. */
export function referenceNewTable(
  table: TableSnapshot,
  reference: ReferenceSnapshot,
  schema: SchemaSnapshot,
): Statement {
  const target = tableOf(reference.message, schema);
  return {
    sql: `${alterTable(table)} ADD ${referenceDefinition(table, reference, target)}`,
    lock: "SHARE ROW EXCLUSIVE",
    rows: "untouched",
    hint: `It locks ${quoted(target.name)} too`,
  };
}

export function validateConstraint(table: TableSnapshot, name: string): Statement {
  return {
    ...concurrent(`${alterTable(table)} VALIDATE CONSTRAINT ${quoted(name)}`, "scanned"),
    hint: "Fails if a row breaks it already: settle those first",
  };
}

export function dropConstraint(table: TableSnapshot, name: string): Statement {
  return exclusive(`${alterTable(table)} DROP CONSTRAINT IF EXISTS ${quoted(name)}`);
}

export function renameConstraint(table: TableSnapshot, from: string, to: string): Statement {
  return exclusive(`${alterTable(table)} RENAME CONSTRAINT ${quoted(from)} TO ${quoted(to)}`);
}

export function alterTable(table: TableSnapshot): string {
  return `ALTER TABLE ${quoted(table.name)}`;
}

export function alterColumn(table: TableSnapshot, column: ColumnSnapshot, action: string): Statement {
  return exclusive(`${alterTable(table)} ALTER COLUMN ${quoted(column.name)} ${action}`);
}

/** Blocks reads and writes, so it must be short. */
export function exclusive(sql: string): Statement {
  return { sql, lock: "ACCESS EXCLUSIVE", rows: "untouched" };
}

/** Allows reads and writes. */
export function concurrent(sql: string, rows: Statement["rows"]): Statement {
  return { sql, lock: "SHARE UPDATE EXCLUSIVE", rows };
}

function indexDefinition(table: TableSnapshot, index: IndexSnapshot): string {
  const columns = index.fields.map((number) => columnOf(table, number));
  return `${quoted(index.name)} ON ${quoted(table.name)} (${columns.join(", ")})`;
}

function columnDefinition(column: ColumnSnapshot, isKey: boolean): string {
  const definition = `${quoted(column.name)} ${column.type}`;
  // Collation "C" compares bytes: pages of a list have the same order on every machine, and an update of the operating
  // system's collations cannot corrupt the index.
  if (isKey) return `${definition} COLLATE "C" PRIMARY KEY`;
  if (column.nullable) return definition;
  return `${definition} NOT NULL${column.default === undefined ? "" : ` DEFAULT ${column.default}`}`;
}

function checkDefinition(table: TableSnapshot, { name, sql }: CheckSnapshot): string {
  const pieces = sql.map((piece) => (typeof piece === "number" ? columnOf(table, piece) : piece));
  return `CONSTRAINT ${quoted(name)} CHECK (${pieces.join("")})`;
}

function referenceDefinition(table: TableSnapshot, { name, field }: ReferenceSnapshot, target: TableSnapshot): string {
  const to = `${quoted(target.name)} (${columnOf(target, target.key)})`;
  return `CONSTRAINT ${quoted(name)} FOREIGN KEY (${columnOf(table, field)}) REFERENCES ${to}`;
}

function columnOf(table: TableSnapshot, number: number): string {
  return quoted(table.columns.find(({ field }) => field === number)!.name);
}

function tableOf(wanted: string, schema: SchemaSnapshot): TableSnapshot {
  return schema.tables.find(({ message }) => message === wanted)!;
}
