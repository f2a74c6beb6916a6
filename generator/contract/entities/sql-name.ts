/** How many bytes PostgreSQL keeps of a name. Names of ours are ASCII. */
export const longestName = 63;

/** Columns that every table of PostgreSQL has, and `ALTER TABLE` refuses to add. */
export const systemColumns: ReadonlySet<string> = new Set(["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"]);

/** Whether it can name a table or a column, with or without quotes. */
export function isSqlName(name: string): boolean {
  return /^[a-z][a-z0-9_]*$/.test(name) && name.length <= longestName;
}
