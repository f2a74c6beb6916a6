import { create, type DescEnum, type DescField, ScalarType } from "@bufbuild/protobuf";
import { DurationSchema, isWrapperDesc, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { eq, getTableColumns, gt, gte, isNotNull, isNull, lt, lte, or, type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { violated } from "../../call/violations.js";
import { JsonFault, short } from "../../codec/protojson/fault.js";
import { parseDurationText, parseInstant } from "../../codec/protojson/instant.js";
import { fraction, ranges, wholeNumber } from "../../codec/protojson/number.js";
import type { Entity } from "../../spec/entity.js";

const IMPLICIT = 2;
/** The maximum number of comparisons in a filter. Filters written by people have far fewer. */
const MOST_PARTS = 32;

const operators = { "=": eq, "<": lt, "<=": lte, ">": gt, ">=": gte } as const;
type Operator = keyof typeof operators | "!=";

/** Matches `name operator value`; the value is quoted or a word. */
const comparison =
  /\s*([A-Za-z_][\w.]*)\s*(<=|>=|!=|=|<|>)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'()<>=!,]+)\s*/sy;
const conjunction = /AND\s/y;

/**
 * Parses a filter, the subset of AIP-160 that indexes support: comparisons (`=`, `!=`, `<`, `<=`, `>`, `>=`) of indexed fields, joined
 * by AND. Strings and timestamps are quoted; numbers, booleans, durations (`1.5s`) and enum names are not. An unset field is not equal
 * to any set value.
 *
 * @returns the conditions, all of which must hold
 * @throws ConnectError INVALID_ARGUMENT that names what is allowed
 */
export function parseFilter(entity: Entity, text: string): SQL[] {
  const conditions: SQL[] = [];
  if (text.trim() === "") return conditions;
  for (let at = 0; ; ) {
    comparison.lastIndex = at;
    const [found, name, operator, value] = comparison.exec(text) ?? [];
    if (found === undefined) throw refused(entity, `cannot be read from ${JSON.stringify(text.slice(at, at + 40))} on`);
    if (conditions.length === MOST_PARTS) throw refused(entity, `has more than ${MOST_PARTS} comparisons`);
    conditions.push(condition(entity, name!, operator as Operator, value!));
    at += found.length;
    if (at === text.length) return conditions;
    conjunction.lastIndex = at;
    const and = conjunction.exec(text)?.[0];
    if (and === undefined) throw refused(entity, `cannot be read from ${JSON.stringify(text.slice(at, at + 40))} on`);
    at += and.length;
  }
}

function condition(entity: Entity, name: string, operator: Operator, word: string): SQL {
  const localName = entity.indexed.find((candidate) => entity.schema.field[candidate]?.name === name);
  const field = localName === undefined ? undefined : entity.schema.field[localName];
  const column = localName === undefined ? undefined : getTableColumns(entity.table)[localName];
  if (field === undefined || column === undefined || isBytes(field)) {
    throw refused(entity, `compares ${short(name)}, which it cannot`);
  }
  const isOrdered = field.fieldKind !== "enum" && scalarOf(field) !== ScalarType.BOOL;
  if (!isOrdered && operator !== "=" && operator !== "!=") {
    throw refused(entity, `compares ${name} by ${operator}, but its values have no order: use = or !=`);
  }
  const value = valueIn(entity, field, word);
  const emptyIsNull = field.presence === IMPLICIT && !column.notNull && !column.primary;
  if (emptyIsNull && typeof value === "string") return compareText(column, operator, value);
  // An unset field is not equal to the value.
  if (operator === "!=") return sql`${column} is distinct from ${sql.param(value, column)}`;
  return operators[operator](column, value);
}

function valueIn(entity: Entity, field: DescField, word: string): unknown {
  let problem = "";
  try {
    const value = meaning(field, word);
    if (value !== undefined) return value;
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    problem = `, which ${error.description}`;
  }
  throw refused(entity, `compares ${field.name} with ${short(word)}${problem}: write ${wanted(field)}`);
}

/** Compares a string column that is NULL where its field is empty. */
function compareText(column: PgColumn, operator: Operator, value: string): SQL {
  if (value !== "") {
    if (operator === "!=") return sql`${column} is distinct from ${value}`;
    const found = operators[operator](column, value);
    return operator === "<" || operator === "<=" ? or(found, isNull(column))! : found;
  }
  if (operator === "=" || operator === "<=") return isNull(column);
  if (operator === ">=") return sql`true`;
  return operator === "<" ? sql`false` : isNotNull(column);
}

/**
 * Parses a word as a value of this field; returns undefined if it is not one.
 *
 * @throws JsonFault with the reason if a word that looks like a value is invalid
 */
function meaning(field: DescField, word: string): unknown {
  const quoted = /^["']/.test(word);
  const text = quoted ? word.slice(1, -1).replaceAll(/\\(.)/gs, "$1") : word;
  if (field.fieldKind === "enum") return enumNumber(field.enum, text);
  const scalar = scalarOf(field);
  if (scalar === ScalarType.STRING) return quoted ? text : undefined;
  if (scalar === undefined) return instantOrDuration(field, text);
  if (quoted) return undefined;
  if (scalar === ScalarType.BOOL) return text === "true" ? true : text === "false" ? false : undefined;
  const range = ranges[scalar];
  if (range !== undefined) return sound(wholeNumber(text, range));
  if (!/^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return undefined;
  // As in JSON, the decimal point needs a digit on either side.
  const json = text
    .replace(/(?<!\d)\./, "0.")
    .replace(/\.(?!\d)/, "")
    .replace(/^(-?)0+(?=\d)/, "$1");
  return sound(fraction(json, scalar === ScalarType.FLOAT));
}

function enumNumber(desc: DescEnum, name: string): number | undefined {
  return desc.values.find((value) => value.name === name)?.number;
}

function instantOrDuration(field: DescField, text: string): unknown {
  const isInstant = field.message?.typeName === TimestampSchema.typeName;
  return isInstant
    ? create(TimestampSchema, sound(parseInstant(text)))
    : create(DurationSchema, sound(parseDurationText(text)));
}

/** Returns a parsed value; throws if it is a string, which is the reason why parsing failed. */
function sound<T>(read: T | string): T {
  if (typeof read === "string") throw new JsonFault(read);
  return read;
}

function scalarOf(field: DescField): ScalarType | undefined {
  if (field.fieldKind === "scalar") return field.scalar;
  return field.fieldKind === "message" && isWrapperDesc(field.message) ? field.message.fields[0].scalar : undefined;
}

function isBytes(field: DescField): boolean {
  return scalarOf(field) === ScalarType.BYTES;
}

function wanted(field: DescField): string {
  if (field.fieldKind === "enum") return `one of ${field.enum.values.map(({ name }) => name).join(", ")}`;
  switch (scalarOf(field)) {
    case undefined:
      return field.message?.typeName === TimestampSchema.typeName
        ? `an instant, "2026-01-31T12:00:00Z"`
        : `a duration in seconds, 1.5s`;
    case ScalarType.STRING:
      return `a text in quotes, "text"`;
    case ScalarType.BOOL:
      return "true or false";
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return "a number";
    default:
      return "a whole number in its range";
  }
}

function refused(entity: Entity, problem: string) {
  const fields = entity.indexed.flatMap((name) => {
    const field = entity.schema.field[name];
    return field === undefined || isBytes(field) ? [] : [field.name];
  });
  return violated([
    {
      field: "filter",
      description: `${problem}; it may compare ${fields.join(", ")} by =, !=, <, <=, >, >=, joined by AND`,
      reason: "FILTER_INVALID",
    },
  ]);
}
