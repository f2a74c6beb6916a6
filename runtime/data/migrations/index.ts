import type pg from "pg";

const createsIndex =
  /^CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?((?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))?)\s+ON\s/i;

/** The index that a statement builds while its table is in use, as SQL names it; undefined if it does no such thing. */
export function indexBuiltBy(sql: string): string | undefined {
  return createsIndex.exec(sql)?.[1];
}

/** Whether there is an index; `invalid` is one whose building was broken off, which slows writes and serves nobody. */
export async function stateOf(client: pg.Client, index: string): Promise<"absent" | "valid" | "invalid"> {
  const { rows } = await client.query(`SELECT indisvalid AS "valid" FROM pg_index WHERE indexrelid = to_regclass($1)`, [
    index,
  ]);
  return rows.length === 0 ? "absent" : rows[0].valid ? "valid" : "invalid";
}

/** Removes what is left of an index whose building was broken off; leaves one that is whole. */
export async function dropInvalid(client: pg.Client, index: string): Promise<void> {
  if ((await stateOf(client, index)) !== "invalid") return;
  await client.query("SET lock_timeout = 0");
  await client.query(`DROP INDEX CONCURRENTLY ${index}`);
}
