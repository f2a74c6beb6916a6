import type { Column } from "../contract.js";
import { entryOf } from "./column-types.js";

/** What a column has of a field that nobody set: as a value of rules, in SQL, and in TypeScript. */
export interface Zero {
  readonly value: unknown;
  readonly sql: string;
  readonly typeScript: string;
}

/**
 * Returns the value of a field that nobody set; undefined where that is NULL. A closed enum need not have a 0: its first
 * value stands for it.
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
