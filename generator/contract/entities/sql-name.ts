/** The number of bytes that PostgreSQL keeps of a name. The tool's names are ASCII. */
export const longestName = 63;

/** PostgreSQL's system columns: every table has them, and `ALTER TABLE` refuses to add them. */
export const systemColumns: ReadonlySet<string> = new Set(["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"]);

/** Returns whether a name is valid for a table or a column, with or without quotes. */
export function isSqlName(name: string): boolean {
  return /^[a-z][a-z0-9_]*$/.test(name) && name.length <= longestName;
}
