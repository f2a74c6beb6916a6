import type pg from "pg";

const createsIndex =
  /^CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?((?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))?)\s+ON\s/i;

/** Returns the name of the index that a CREATE INDEX CONCURRENTLY statement builds, or undefined for any other statement. */
export function indexBuiltBy(sql: string): string | undefined {
  return createsIndex.exec(sql)?.[1];
}

/** Returns whether an index exists. An `invalid` one is left by an interrupted build: it slows writes and serves no query. */
export async function stateOf(client: pg.Client, index: string): Promise<"absent" | "valid" | "invalid"> {
  const { rows } = await client.query(`SELECT indisvalid AS "valid" FROM pg_index WHERE indexrelid = to_regclass($1)`, [
    index,
  ]);
  return rows.length === 0 ? "absent" : rows[0].valid ? "valid" : "invalid";
}

/** Drops an invalid index; keeps a valid one. */
export async function dropInvalid(client: pg.Client, index: string): Promise<void> {
  if ((await stateOf(client, index)) !== "invalid") return;
  await client.query("SET lock_timeout = 0");
  await client.query(`DROP INDEX CONCURRENTLY ${index}`);
}
