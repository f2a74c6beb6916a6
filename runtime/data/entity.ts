import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { PgTable } from "drizzle-orm/pg-core";

/**
 * A message whose instances are rows of a table. The table's columns are called as the message's fields are in
 * TypeScript, so `key` names both.
 */
export interface Entity<D extends DescMessage = DescMessage, Row = Record<string, unknown>> {
  readonly schema: D;
  readonly table: PgTable;
  /** The field that identifies a row. */
  readonly key: string;
  /** The timestamp that the repository sets when it creates a row (AIP-148). */
  readonly createTime?: string;
  /** The timestamp that the repository sets whenever it writes a row (AIP-148). */
  readonly updateTime?: string;
  /** Fields that a request cannot set: the rest of OUTPUT_ONLY. */
  readonly outputOnly: readonly string[];
  /** Fields that cannot change once a row exists: IDENTIFIER and IMMUTABLE. */
  readonly immutable: readonly string[];
  toRow(message: MessageShape<D>): Row;
  fromRow(row: Row): MessageShape<D>;
}
