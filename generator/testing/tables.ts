import { getTableConfig, PgDialect, type PgTable } from "drizzle-orm/pg-core";
import pg from "pg";

const dialect = new PgDialect();

/**
 * Makes tables as Drizzle describes them, for tests of what works on them.
 *
 * @param constrained whether CHECKs and foreign keys hold, so that rows must be such as the contract wants them
 */
export async function createTables(url: string, tables: readonly PgTable[], constrained = false): Promise<void> {
  const all = tables.flatMap((table) => statements(table, constrained));
  if (constrained) all.push(...tables.flatMap(references));
  await execute(url, all.join(";\n"));
}

/** Runs SQL on a connection of its own. */
export async function execute(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

function statements(table: PgTable, constrained: boolean): string[] {
  const { name, columns, indexes, checks } = getTableConfig(table);
  const lines = columns.map((column) => {
    const rest = column.primary ? " PRIMARY KEY" : column.notNull ? " NOT NULL" : "";
    return `"${column.name}" ${column.getSQLType()}${rest}`;
  });
  const rules = (constrained ? checks : []).map(
    (check) => `CONSTRAINT "${check.name}" CHECK (${dialect.sqlToQuery(check.value).sql})`,
  );
  return [
    `CREATE TABLE "${name}" (${[...lines, ...rules].join(", ")})`,
    ...indexes.map(({ config }) => {
      const on = config.columns.map((column) => ("name" in column ? `"${column.name}"` : "")).join(", ");
      return `CREATE ${config.unique ? "UNIQUE " : ""}INDEX "${config.name}" ON "${name}" (${on})`;
    }),
  ];
}

function references(table: PgTable): string[] {
  const { name, foreignKeys } = getTableConfig(table);
  return foreignKeys.map((key) => {
    const { columns, foreignTable, foreignColumns } = key.reference();
    const list = (of: readonly { name: string }[]) => of.map((column) => `"${column.name}"`).join(", ");
    const to = `"${getTableConfig(foreignTable).name}" (${list(foreignColumns)})`;
    return `ALTER TABLE "${name}" ADD CONSTRAINT "${key.getName()}" FOREIGN KEY (${list(columns)}) REFERENCES ${to}`;
  });
}
