import { getTableConfig, type PgTable } from "drizzle-orm/pg-core";
import pg from "pg";

/** Makes tables as Drizzle describes them, for tests of what works on them. */
export async function createTables(url: string, tables: readonly PgTable[]): Promise<void> {
  await execute(url, tables.flatMap(statements).join(";\n"));
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

function statements(table: PgTable): string[] {
  const { name, columns, indexes } = getTableConfig(table);
  const lines = columns.map((column) => {
    const rest = column.primary ? " PRIMARY KEY" : column.notNull ? " NOT NULL" : "";
    return `"${column.name}" ${column.getSQLType()}${rest}`;
  });
  return [
    `CREATE TABLE "${name}" (${lines.join(", ")})`,
    ...indexes.map(({ config }) => {
      const on = config.columns.map((column) => ("name" in column ? `"${column.name}"` : "")).join(", ");
      return `CREATE ${config.unique ? "UNIQUE " : ""}INDEX "${config.name}" ON "${name}" (${on})`;
    }),
  ];
}
