/** The lock of a table while a statement runs, by PostgreSQL's name ("Explicit Locking" in its manual). */
export type Lock = "ACCESS EXCLUSIVE" | "SHARE ROW EXCLUSIVE" | "SHARE UPDATE EXCLUSIVE" | "ROW EXCLUSIVE" | "none";

/** An SQL statement of a migration, and its effect on a running system. */
export interface Statement {
  /** Without its semicolon. */
  readonly sql: string;
  /**
   * ACCESS EXCLUSIVE blocks reads and writes. SHARE ROW EXCLUSIVE blocks writes. ROW EXCLUSIVE and SHARE UPDATE EXCLUSIVE block
   * neither.
   */
  readonly lock: Lock;
  /** The duration: independent of the rows, a scan of all of them, or a rewrite of all of them. */
  readonly rows: "untouched" | "scanned" | "rewritten";
  readonly losesData?: boolean;
  /** Whether processes of the previous version fail after it. */
  readonly breaksOld?: boolean;
  /** A further hint: a sentence without its full stop. */
  readonly hint?: string;
}

/** Returns a statement's label: `lock: ACCESS EXCLUSIVE; rows: rewritten; loses data`. */
export function label({ lock, rows, losesData, breaksOld }: Statement): string {
  const parts = [`lock: ${lock}`, `rows: ${rows}`];
  if (losesData) parts.push("loses data");
  if (breaksOld) parts.push("not safe beside the version before");
  return parts.join("; ");
}

/** The line after which the statements of a file run one by one, outside a transaction. The runner has the same constant. */
export const outsideTransaction = "-- scaffold: outside a transaction";

/** Returns the text of a migration's file. A comment labels each statement. */
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
