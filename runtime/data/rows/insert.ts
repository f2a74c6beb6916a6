import type { SQL } from "drizzle-orm";
import { type PgColumn, PgDialect, type PgTable } from "drizzle-orm/pg-core";
import type { Database } from "../postgres/driver.js";

/** Some or all columns of a row, by their names in TypeScript. */
type Row = Record<string, unknown>;

export interface Insertion {
  readonly table: PgTable;
  readonly columns: Readonly<Record<string, PgColumn>>;
  /** Undefined columns get their defaults. */
  readonly row: Row;
  /** Further expressions that the statement returns, by name. */
  readonly beside: Readonly<Record<string, SQL>>;
}

const dialect = new PgDialect();
/** Each statement is built once, because building it with Drizzle takes longer than the database takes to run it. */
const built = new WeakMap<PgTable, Map<string, Built>>();
let names = 0;

interface Built {
  readonly text: string;
  /** The name for prepared statements. */
  readonly name: string;
}

/** Inserts a row, and returns it as stored. */
export async function insertRow(db: Database, { table, columns, row, beside }: Insertion): Promise<Row> {
  const given = Object.keys(columns).filter((name) => row[name] !== undefined);
  const more = Object.entries(beside).map(([name, asked]) => ({ name, ...dialect.sqlToQuery(asked) }));
  const values = given.map((name) => {
    const value = row[name];
    return value === null ? null : columns[name]!.mapToDriverValue(value);
  });
  const { text, name } = remembered(
    table,
    [...given, ...more.map((each) => `${each.name}: ${each.sql}`)].join(),
    () => {
      const returning = { ...columns, ...beside };
      return db.insert(table).values(row).returning(returning).toSQL().sql;
    },
  );
  const statement = { sql: text, params: [...values, ...more.flatMap(({ params }) => params)] };
  const answered = [...Object.keys(columns), ...more.map(({ name }) => name)];
  const query = db._.session.prepareQuery(statement, undefined, name, true, ([cells]) =>
    Object.fromEntries(answered.map((name, index) => [name, decoded(columns[name], cells![index])])),
  );
  return (await query.execute()) as Row;
}

function remembered(table: PgTable, what: string, build: () => string): Built {
  const known = built.get(table) ?? new Map<string, Built>();
  const one = known.get(what) ?? { text: build(), name: `insert_${++names}` };
  built.set(table, known.set(what, one));
  return one;
}

function decoded(column: PgColumn | undefined, cell: unknown): unknown {
  return column === undefined || cell === null ? cell : column.mapFromDriverValue(cell);
}
