/** What PostgreSQL locks a table with while a statement runs, its own names ("Explicit Locking" in its manual). */
export type Lock = "ACCESS EXCLUSIVE" | "SHARE ROW EXCLUSIVE" | "SHARE UPDATE EXCLUSIVE" | "ROW EXCLUSIVE" | "none";

/** One SQL statement of a migration, and what it means for a system that runs. */
export interface Statement {
  /** Without its semicolon. */
  readonly sql: string;
  /**
   * ACCESS EXCLUSIVE: nobody reads or writes meanwhile. SHARE ROW EXCLUSIVE: nobody writes. ROW EXCLUSIVE and SHARE
   * UPDATE EXCLUSIVE: everybody does both.
   */
  readonly lock: Lock;
  /** How long it takes: no longer for more rows, as long as reading all of them, or as long as writing all of them. */
  readonly rows: "untouched" | "scanned" | "rewritten";
  readonly losesData?: boolean;
  /** Processes of the version before fail once it has run. */
  readonly breaksOld?: boolean;
  /** What else to know: a sentence without its full stop. */
  readonly hint?: string;
}

/** What a statement means, in a few words: `lock: ACCESS EXCLUSIVE; rows: rewritten; loses data`. */
export function label({ lock, rows, losesData, breaksOld }: Statement): string {
  const parts = [`lock: ${lock}`, `rows: ${rows}`];
  if (losesData) parts.push("loses data");
  if (breaksOld) parts.push("not safe beside the version before");
  return parts.join("; ");
}

/** From this line on, the statements of a file run one by one, outside a transaction. The runner knows it too. */
export const outsideTransaction = "-- scaffold: outside a transaction";

/** The text of a migration's file, with a comment that labels each statement. */
export function printSql(inside: readonly Statement[], outside: readonly Statement[]): string {
  const print = (statement: Statement) => {
    const hint = statement.hint === undefined ? "" : `-- ${statement.hint}.\n`;
    return `-- ${label(statement)}\n${hint}${statement.sql};\n`;
  };
  const parts = [
    ...inside.map(print),
    ...(outside.length === 0 ? [] : [`${outsideTransaction}\n`]),
    ...outside.map(print),
  ];
  return parts.join("\n");
}
