import type { Check, Column, Entity, Service } from "../contract/contract.js";
import { columnTypes } from "../contract/entities/column-types.js";
import { zeroOf } from "../contract/entities/zero.js";
import { jsonMessages, jsonType } from "./json-shape.js";

/**
 * The schema of a service's database at one migration. Fields are identified by number and tables by message, so that a new name
 * is a rename.
 */
export interface SchemaSnapshot {
  readonly version: 1;
  /** Sorted by message. */
  readonly tables: readonly TableSnapshot[];
  /** The messages inside JSON columns: for each field number, its name in JSON and its type. */
  readonly messages: Readonly<Record<string, Readonly<Record<number, string>>>>;
  /** Dropped tables, with their fields. */
  readonly dropped?: readonly DroppedTable[];
}

export interface TableSnapshot {
  readonly message: string;
  /** The former name of the message. */
  readonly renamedFrom?: string;
  readonly name: string;
  /** The number of the field that is the primary key. */
  readonly key: number;
  /** In the order of the fields. */
  readonly columns: readonly ColumnSnapshot[];
  readonly indexes: readonly IndexSnapshot[];
  readonly checks?: readonly CheckSnapshot[];
  readonly references?: readonly ReferenceSnapshot[];
  /** Dropped fields, by number: no other field may reuse it. */
  readonly dropped?: readonly DroppedColumn[];
}

export type DroppedTable = Required<Pick<TableSnapshot, "message" | "name" | "dropped">>;

export type DroppedColumn = Pick<ColumnSnapshot, "field" | "name" | "type" | "json">;

export interface ColumnSnapshot {
  readonly field: number;
  readonly name: string;
  /** PostgreSQL's name of the type. */
  readonly type: string;
  readonly nullable: boolean;
  /** An SQL literal. A NOT NULL column has one, so that an older process can still insert without it. */
  readonly default?: string;
  /** The shape of the JSON in it, or of the JSON that it contained before. */
  readonly json?: string;
  /** Whether an empty text is stored as NULL. */
  readonly emptyIsNull?: true;
}

export interface IndexSnapshot {
  readonly name: string;
  readonly fields: readonly number[];
  readonly unique: boolean;
}

export interface CheckSnapshot {
  readonly name: string;
  /** The expression in pieces. A number is the column of that field. */
  readonly sql: readonly (string | number)[];
  /** Whether a row in which these fields are unset violates it. */
  readonly refusesDefault?: true;
}

/** A foreign key. */
export interface ReferenceSnapshot {
  readonly name: string;
  readonly field: number;
  /** The message that it refers to. */
  readonly message: string;
}

/** Returns the schema that a service's contract needs. */
export function snapshotOf(service: Pick<Service, "entities">): SchemaSnapshot {
  const entities = service.entities.toSorted((a, b) => (a.desc.typeName < b.desc.typeName ? -1 : 1));
  const json = entities.flatMap(({ columns }) => columns.filter(isJson).map((column) => column.desc));
  return { version: 1, tables: entities.map(tableOf), messages: jsonMessages(json) };
}

function tableOf(entity: Entity): TableSnapshot {
  return {
    message: entity.desc.typeName,
    ...(entity.renamedFrom !== undefined && { renamedFrom: entity.renamedFrom }),
    name: entity.table,
    key: entity.key.desc.number,
    columns: entity.columns.map((column) => columnOf(column, column === entity.key)),
    indexes: entity.indexes.map(({ name, columns, unique }) => ({
      name,
      fields: columns.map((column) => column.desc.number),
      unique,
    })),
    ...(entity.checks.length > 0 && { checks: entity.checks.map(checkOf) }),
    ...(entity.references.length > 0 && {
      references: entity.references.map(({ name, column, target }) => ({
        name,
        field: column.desc.number,
        message: target.desc.typeName,
      })),
    }),
  };
}

function checkOf({ name, sql, refusesDefault }: Check): CheckSnapshot {
  return {
    name,
    sql: sql.map((piece) => (typeof piece === "string" ? piece : piece.desc.number)),
    ...(refusesDefault && { refusesDefault }),
  };
}

function columnOf(column: Column, isKey: boolean): ColumnSnapshot {
  const { desc, name, type, nullable, emptyIsNull } = column;
  const zero = nullable || isKey ? undefined : zeroOf(column)?.sql;
  return {
    field: desc.number,
    name,
    type: columnTypes[type].sql,
    nullable,
    ...(zero !== undefined && { default: zero }),
    ...((isJson(column) || type === "duration") && { json: jsonType(desc) }),
    ...(emptyIsNull && { emptyIsNull }),
  };
}

function isJson({ type }: Column): boolean {
  return type === "json";
}
