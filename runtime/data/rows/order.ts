import { and, asc, desc, getTableColumns, isNotNull, isNull, or, type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { violated } from "../../call/violations.js";
import type { Entity } from "../../spec/entity.js";
import type { Position } from "./page-token.js";

/** One field of a sort order. */
export interface OrderField {
  /** The field's name in TypeScript. */
  readonly name: string;
  readonly column: PgColumn;
  readonly descending: boolean;
}

/**
 * Parses an `order_by` (AIP-132): `create_time desc, id`. The key is always the last field, so that the order is total.
 *
 * @throws ConnectError INVALID_ARGUMENT that names the sortable fields
 */
export function parseOrder(entity: Entity, text: string): OrderField[] {
  const columns = getTableColumns(entity.table);
  const order: OrderField[] = [];
  for (const part of text.trim() === "" ? [] : text.split(",")) {
    const [, name, direction = "asc"] = /^\s*(\S+)(?:\s+(asc|desc))?\s*$/.exec(part) ?? [];
    const field = entity.indexed.find((candidate) => entity.schema.field[candidate]?.name === name);
    const column = field === undefined ? undefined : columns[field];
    if (field === undefined || column === undefined) {
      const known = entity.indexed.map((candidate) => entity.schema.field[candidate]?.name).join(", ");
      throw refused(
        `${JSON.stringify(part.trim().slice(0, 100))} is no order: it may be ordered by ${known}, each with "desc" or without`,
      );
    }
    if (order.some((other) => other.name === field)) throw refused(`${name} is named twice`);
    order.push({ name: field, column, descending: direction === "desc" });
  }
  const keyed = order.findIndex(({ name }) => name === entity.key);
  // The key is unique, so fields after it have no effect.
  if (keyed >= 0) return order.slice(0, keyed + 1);
  return [...order, { name: entity.key, column: columns[entity.key]!, descending: false }];
}

export function inOrder(order: readonly OrderField[]): SQL[] {
  return order.map(({ column, descending }) => (descending ? desc(column) : asc(column)));
}

/** Returns a row's position in the order. */
export function positionOf(order: readonly OrderField[], row: Record<string, unknown>): Position {
  return order.map(({ name, column }) => {
    const value = row[name];
    return value === null || value === undefined ? null : text(column.mapToDriverValue(value));
  });
}

/** Returns the condition for rows after a position. PostgreSQL sorts NULL last in ascending order, first in descending order. */
export function after(order: readonly OrderField[], position: Position): SQL | undefined {
  let condition: SQL | undefined;
  for (const [i, { column, descending }] of [...order.entries()].reverse()) {
    const value = position[i] ?? null;
    const later = laterThan(column, descending, value);
    const same = value === null ? isNull(column) : sql`${column} = ${value}`;
    condition = i === order.length - 1 ? later : or(later, and(same, condition));
  }
  const { column, descending } = order[0]!;
  const first = position[0] ?? null;
  // Redundant, but lets the database start an index scan at the position.
  if (order.length === 1 || first === null || !(descending || column.notNull)) return condition;
  return and(descending ? sql`${column} <= ${first}` : sql`${column} >= ${first}`, condition);
}

function laterThan(column: PgColumn, descending: boolean, value: string | null): SQL | undefined {
  if (value === null) return descending ? isNotNull(column) : sql`false`;
  if (descending) return sql`${column} < ${value}`;
  const later = sql`${column} > ${value}`;
  return column.notNull || column.primary ? later : or(later, isNull(column));
}

/** Returns a value as a parameter of its column's type. */
function text(value: unknown): string {
  return Buffer.isBuffer(value) ? `\\x${value.toString("hex")}` : String(value);
}

function refused(description: string) {
  return violated([{ field: "order_by", description, reason: "ORDER_BY_INVALID" }]);
}
