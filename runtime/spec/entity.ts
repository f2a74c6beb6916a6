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
  /**
   * The timestamp of a row that is deleted and kept all the same (AIP-164). Nobody reads it then but a list that asks for
   * deleted rows.
   */
  readonly deleteTime?: string;
  /** The text that is another after each write (AIP-154); the repository sets it. */
  readonly etag?: string;
  /** The fields of each unique index, by which a row can be found beside its key. Default: none. */
  readonly unique?: readonly (readonly string[])[];
  /** Fields that lists may be filtered and ordered by: the key, and what indexes cover. */
  readonly indexed: readonly string[];
  /** What the database's constraints are about: by their names, fields in proto spelling. */
  readonly constraints: Readonly<Record<string, readonly string[]>>;
  /** Fields that a request cannot set: OUTPUT_ONLY, and the etag. */
  readonly outputOnly: readonly string[];
  /** Fields that cannot change once a row exists: IDENTIFIER and IMMUTABLE. */
  readonly immutable: readonly string[];
  toRow(message: MessageShape<D>): Row;
  fromRow(row: Row): MessageShape<D>;
}
