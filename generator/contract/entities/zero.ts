import type { Column } from "../contract.js";
import { entryOf } from "./column-types.js";

/** The default value of a column: as a value of rules, in SQL, and in TypeScript. */
export interface Zero {
  readonly value: unknown;
  readonly sql: string;
  readonly typeScript: string;
}

/**
 * Returns the default value of a column, or undefined if an unset field is NULL. A closed enum need not have a 0: its first
 * value is the default.
 */
export function zeroOf(column: Pick<Column, "desc" | "type">): Zero | undefined {
  const { desc } = column;
  switch (desc.fieldKind) {
    case "list":
      return { value: undefined, sql: "'[]'", typeScript: "[]" };
    case "map":
      return { value: undefined, sql: "'{}'", typeScript: "{}" };
    case "enum": {
      const value = desc.enum.values[0]?.number ?? 0;
      return { value, sql: String(value), typeScript: String(value) };
    }
    default:
      return entryOf(column).zero;
  }
}
