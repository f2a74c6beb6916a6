import pg from "pg";
import type { SchemaSnapshot } from "./snapshot.js";
import { createTable } from "./sql.js";

/** A table as it is in a database. */
export interface LiveTable {
  readonly columns: readonly LiveColumn[];
  /** Without the primary key's. */
  readonly indexes: readonly LiveIndex[];
  /** CHECKs and foreign keys. */
  readonly constraints: readonly LiveConstraint[];
  /** The primary key's columns. */
  readonly key: readonly string[];
}

export interface LiveColumn {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  /** In PostgreSQL's format: `''::text`. */
  readonly default: string | null;
}

export interface LiveIndex {
  readonly name: string;
  readonly unique: boolean;
  /** Whether its build was completed. */
  readonly valid: boolean;
  readonly columns: readonly string[];
}

export interface LiveConstraint {
  readonly name: string;
  /** Whether it was validated for every row. */
  readonly valid: boolean;
  readonly columns: readonly string[];
  /** The table that a foreign key refers to; null: it is a CHECK. */
  readonly refersTo: string | null;
  /** In PostgreSQL's format, which differs from the original text. */
  readonly definition: string;
}

/** Returns the tables of a database, in the first schema of its search path, by name. */
export async function readSchema(url: string): Promise<ReadonlyMap<string, LiveTable>> {
  return connected(url, (client) => readTables(client, "current_schema()::regnamespace"));
}

/**
 * Returns the tables as the database would create them now: this shows how it prints a CHECK. Creates temporary tables, which no
 * other session sees.
 */
export async function readWanted(url: string, schema: SchemaSnapshot): Promise<ReadonlyMap<string, LiveTable>> {
  return connected(url, async (client) => {
    await client.query("BEGIN");
    for (const table of schema.tables) {
      await client.query(createTable(table).sql.replace(/^CREATE TABLE/, "CREATE TEMPORARY TABLE"));
    }
    const wanted = await readTables(client, "pg_my_temp_schema()");
    await client.query("ROLLBACK");
    return wanted;
  });
}

async function connected<T>(url: string, body: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}

async function readTables(client: pg.Client, schema: string): Promise<ReadonlyMap<string, LiveTable>> {
  const { rows } = await client.query<{ name: string } & LiveTable>(
    `${tables}\nWHERE c.relnamespace = ${schema} AND c.relkind IN ('r', 'p')`,
  );
  return new Map(rows.map(({ name, ...table }) => [name, table]));
}

const tables = `
SELECT c.relname AS "name",
  (SELECT coalesce(json_agg(json_build_object(
      'name', a.attname,
      'type', CASE format_type(a.atttypid, a.atttypmod)
        WHEN 'timestamp with time zone' THEN 'timestamptz' ELSE format_type(a.atttypid, a.atttypmod) END,
      'nullable', NOT a.attnotnull,
      'default', pg_get_expr(d.adbin, d.adrelid)) ORDER BY a.attnum), '[]')
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS "columns",
  (SELECT coalesce(json_agg(json_build_object(
      'name', n.relname, 'unique', i.indisunique, 'valid', i.indisvalid,
      'columns', (SELECT json_agg(pg_get_indexdef(i.indexrelid, k, true) ORDER BY k) FROM generate_series(1, i.indnkeyatts) k)
    ) ORDER BY n.relname), '[]')
    FROM pg_index i JOIN pg_class n ON n.oid = i.indexrelid
    WHERE i.indrelid = c.oid AND NOT i.indisprimary) AS "indexes",
  (SELECT coalesce(json_agg(json_build_object(
      'name', k.conname, 'valid', k.convalidated, 'refersTo', t.relname,
      'definition', replace(pg_get_constraintdef(k.oid), ' NOT VALID', ''),
      'columns', (SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]') FROM pg_attribute a
        WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey))
    ) ORDER BY k.conname), '[]')
    FROM pg_constraint k LEFT JOIN pg_class t ON t.oid = k.confrelid
    WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f')) AS "constraints",
  (SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]')
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = c.oid AND i.indisprimary) AS "key"
FROM pg_class c`;
