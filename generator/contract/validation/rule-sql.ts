import type { Column } from "../contract.js";
import { entryOf, textLiteral } from "../entities/column-types.js";
import { zeroOf } from "../entities/zero.js";

const IMPLICIT = 2;

/** A rule about one column, as SQL. */
export interface Term {
  readonly sql: readonly (string | Column)[];
  /** The condition that the column has its zero value, if it has one. */
  readonly isZero?: readonly (string | Column)[];
  /** Whether the zero value fulfils the rule. */
  readonly holdsForZero: boolean;
  /** Whether NULL violates the rule. Most rules ignore unset fields, as a CHECK does. */
  readonly refusesNull: boolean;
}

type Rules = Readonly<Record<string, unknown>>;
type Sql = readonly (string | Column)[];
/** The expression that PostgreSQL compares, and the literals of its values. */
interface Kind {
  /** Undefined: SQL cannot represent the value exactly. */
  literal(value: unknown): string | undefined;
  compare(a: unknown, b: unknown): number;
  readonly zero?: unknown;
}

/** Returns the rules of a field that SQL can express exactly. The others are left out. */
export function rulesInSql(column: Column, required: boolean, type: string | undefined, rules: Rules = {}): Term[] {
  const terms = required ? filled(column) : [];
  if (type === "repeated" || type === "map") return [...terms, ...items(column, type, rules)];
  const kind = kindOf(column);
  if (kind === undefined || type === undefined || type === "any" || type === "fieldMask") return terms;
  const value: Sql = column.emptyIsNull ? ["coalesce(", column, ", '')"] : [column];
  const isZero: Sql | undefined = kind.zero === undefined ? undefined : [...value, ` = ${kind.literal(kind.zero)}`];
  const term = (sql: Sql, holds: (zero: unknown) => boolean): Term => ({
    sql,
    ...(isZero !== undefined && { isZero }),
    holdsForZero: kind.zero !== undefined && holds(kind.zero),
    refusesNull: false,
  });
  return [
    ...terms,
    ...among(value, kind, rules, term),
    ...bounds(value, kind, column, rules, term),
    ...inner(value, column, rules, term),
  ];
}

type MakeTerm = (sql: Sql, holds: (zero: unknown) => boolean) => Term;

/** `required`: a field with presence is set; any other does not have its zero value. */
function filled(column: Column): Term[] {
  const { desc } = column;
  const holds = { holdsForZero: false, refusesNull: true };
  if (column.nullable) return [{ sql: [column, " IS NOT NULL"], ...holds }];
  if (desc.fieldKind === "list") return [{ sql: [column, " <> '[]'"], ...holds }];
  if (desc.fieldKind === "map") return [{ sql: [column, " <> '{}'"], ...holds }];
  const kind = kindOf(column);
  // A field that the language itself requires is always set.
  if (desc.presence !== IMPLICIT || kind === undefined) return [];
  return [{ sql: [column, ` <> ${kind.literal(kind.zero)}`], ...holds }];
}

function items(column: Column, type: "repeated" | "map", rules: Rules): Term[] {
  const count: Sql =
    type === "repeated"
      ? ["jsonb_array_length(", column, ")"]
      : ["jsonb_array_length(jsonb_path_query_array(", column, ", '$.keyvalue()'))"];
  const isZero: Sql = [column, type === "repeated" ? " = '[]'" : " = '{}'"];
  const least = rules.min_items ?? rules.min_pairs;
  const most = rules.max_items ?? rules.max_pairs;
  const terms: Term[] = [];
  if (least !== undefined) {
    terms.push({ sql: [...count, ` >= ${least}`], isZero, holdsForZero: least === 0n, refusesNull: false });
  }
  if (most !== undefined)
    terms.push({ sql: [...count, ` <= ${most}`], isZero, holdsForZero: true, refusesNull: false });
  return terms;
}

/** `const`, `in`, `not_in`. */
function among(value: Sql, kind: Kind, rules: Rules, term: MakeTerm): Term[] {
  const terms: Term[] = [];
  const same = (one: unknown) => (other: unknown) => kind.compare(one, other) === 0;
  const only = rules.const === undefined ? undefined : kind.literal(rules.const);
  if (only !== undefined) terms.push(term([...value, ` = ${only}`], same(rules.const)));
  for (const [rule, operator] of [
    ["in", "IN"],
    ["not_in", "NOT IN"],
  ] as const) {
    const listed = (rules[rule] ?? []) as readonly unknown[];
    const literals = listed.map((one) => kind.literal(one));
    if (literals.length === 0 || literals.includes(undefined)) continue;
    const holds = (zero: unknown) => listed.some(same(zero)) === (rule === "in");
    terms.push(term([...value, ` ${operator} (${literals.join(", ")})`], holds));
  }
  return terms;
}

/** `gt`, `gte`, `lt`, `lte`: inside the range if the lower bound is lower, or else outside of it. */
function bounds(value: Sql, kind: Kind, column: Column, rules: Rules, term: MakeTerm): Term[] {
  // A timestamp is truncated to microseconds, so one just after `gt` may not be after it in its row.
  if (column.type === "timestamp" && rules.gt !== undefined) return [];
  const low = bound(">", rules.gt, rules.gte, kind);
  const high = bound("<", rules.lt, rules.lte, kind);
  if (low === null || high === null) return [];
  const isFloat = column.type === "float" || column.type === "double";
  // In PostgreSQL NaN is greater than every number. The rules do not treat it as a number.
  const isNumber: Sql = isFloat && low !== undefined ? [...value, ` <> ${kind.literal(Number.NaN)} AND `] : [];
  if (low !== undefined && high !== undefined && kind.compare(high.value, low.value) < 0) {
    const either = [...value, low.sql, " OR ", ...value, high.sql];
    return [term([...isNumber, "(", ...either, ")"], (zero) => low.holds(zero) || high.holds(zero))];
  }
  return [
    ...(low === undefined ? [] : [term([...isNumber, ...value, low.sql], low.holds)]),
    ...(high === undefined ? [] : [term([...value, high.sql], high.holds)]),
  ];
}

/** Null: the rule has a value, but SQL cannot represent it. */
function bound(operator: ">" | "<", open: unknown, closed: unknown, kind: Kind) {
  const value = open ?? closed;
  if (value === undefined) return undefined;
  const literal = Number.isNaN(value) ? undefined : kind.literal(value);
  if (literal === undefined) return null;
  const sign = operator === ">" ? 1 : -1;
  return {
    value,
    sql: ` ${operator}${open === undefined ? "=" : ""} ${literal}`,
    holds: (zero: unknown) => {
      const order = kind.compare(zero, value) * sign;
      return open === undefined ? order >= 0 : order > 0;
    },
  };
}

/** Rules about the length or the content of a text or of bytes, and `finite`. */
function inner(value: Sql, column: Column, rules: Rules, term: MakeTerm): Term[] {
  switch (column.type) {
    case "text":
      return [
        // Both count code points, or bytes of UTF-8.
        ...size("char_length", value, [rules.len, rules.min_len, rules.max_len], term),
        ...size("octet_length", value, [rules.len_bytes, rules.min_bytes, rules.max_bytes], term),
        ...parts(value, rules, term),
      ];
    case "bytes":
      return size("octet_length", value, [rules.len, rules.min_len, rules.max_len], term);
    case "float":
    case "double": {
      if (rules.finite !== true) return [];
      const literals = ["NaN", "Infinity", "-Infinity"].map((name) => entryOf(column).literal?.(Number(name)));
      return [term([...value, ` NOT IN (${literals.join(", ")})`], () => true)];
    }
    default:
      return [];
  }
}

function size(counting: string, value: Sql, [exact, least, most]: readonly unknown[], term: MakeTerm): Term[] {
  const rule = (operator: string, count: unknown, holds: boolean) =>
    count === undefined ? [] : [term([`${counting}(`, ...value, `) ${operator} ${count}`], () => holds)];
  return [...rule("=", exact, exact === 0n), ...rule(">=", least, least === 0n), ...rule("<=", most, true)];
}

function parts(value: Sql, rules: Rules, term: MakeTerm): Term[] {
  const rule = (name: string, make: (literal: string, text: string) => Sql, holds: (text: string) => boolean) => {
    const text = rules[name] as string;
    const literal = textLiteral(text);
    return literal === undefined ? [] : [term(make(literal, text), () => holds(text))];
  };
  const isEmpty = (text: string) => text === "";
  return [
    ...rule("prefix", (literal) => ["starts_with(", ...value, `, ${literal})`], isEmpty),
    ...rule("suffix", (literal, text) => ["right(", ...value, `, ${[...text].length}) = ${literal}`], isEmpty),
    ...rule("contains", (literal) => [`position(${literal} in `, ...value, ") > 0"], isEmpty),
    ...rule(
      "not_contains",
      (literal) => [`position(${literal} in `, ...value, ") = 0"],
      (text) => text !== "",
    ),
  ];
}

function kindOf(column: Column): Kind | undefined {
  const { literal, compare } = entryOf(column);
  return literal && compare && { literal, compare, zero: zeroOf(column)?.value };
}
