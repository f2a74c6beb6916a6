import { ScalarType } from "@bufbuild/protobuf";

/** The properties of a column type, for the schema's printer, migrations and SQL rules. */
export interface ColumnTypeEntry {
  /** The name in PostgreSQL. */
  readonly sql: string;
  /** The types to which PostgreSQL casts every value without changing it. */
  readonly widensTo?: readonly string[];
  /** The TypeScript type of a value in a row: a word of the language, or a symbol of @bufbuild/protobuf/wkt. */
  readonly typeScript?: string | { readonly wellKnown: string };
  /** The column builder in a Drizzle schema: Drizzle's own, or one of the runtime's. */
  readonly builder?: { readonly name: string; readonly of: "drizzle" | "runtime"; readonly options?: string };
  /** The default value of a field, as a value, in SQL and in TypeScript. Undefined: an unset field is NULL. */
  readonly zero?: { readonly value: unknown; readonly sql: string; readonly typeScript: string };
  /** Returns a rule's value in SQL, or undefined if SQL cannot represent it exactly. */
  readonly literal?: (value: unknown) => string | undefined;
  /** Orders two values of rules as PostgreSQL orders them: negative, zero or positive. */
  readonly compare?: (a: unknown, b: unknown) => number;
}

const drizzle = (name: string, options?: string) => ({ name, of: "drizzle", ...(options && { options }) }) as const;
const runtime = (name: string) => ({ name, of: "runtime" }) as const;
const floating = (sql: string) => ({
  sql,
  typeScript: "number",
  zero: { value: 0, sql: "0", typeScript: "0" },
  literal: (value: unknown) => `'${Object.is(value, -0) ? 0 : value}'::${sql}`,
  compare: order,
});
const whole = { literal: String, compare: order };

/** The column types. */
export const columnTypes = {
  text: {
    sql: "text",
    typeScript: "string",
    builder: drizzle("text"),
    zero: { value: "", sql: "''", typeScript: '""' },
    literal: textLiteral,
    compare: equality,
  },
  boolean: {
    sql: "boolean",
    typeScript: "boolean",
    builder: drizzle("boolean"),
    zero: { value: false, sql: "false", typeScript: "false" },
    literal: String,
    compare: equality,
  },
  bytes: {
    sql: "bytea",
    typeScript: "Uint8Array",
    builder: runtime("bytes"),
    zero: { value: new Uint8Array(), sql: String.raw`'\x'`, typeScript: "new Uint8Array()" },
    literal: (value) => `'\\x${Buffer.from(value as Uint8Array).toString("hex")}'::bytea`,
    compare: (a, b) => Buffer.compare(a as Uint8Array, b as Uint8Array),
  },
  int32: {
    sql: "integer",
    widensTo: ["bigint", "numeric", "double precision"],
    typeScript: "number",
    builder: drizzle("integer"),
    zero: { value: 0, sql: "0", typeScript: "0" },
    ...whole,
  },
  /** The number of an enum value. Its zero is the enum's first value: see `zeroOf`. */
  enum: { sql: "integer", builder: drizzle("integer"), ...whole },
  uint32: {
    sql: "bigint",
    widensTo: ["numeric"],
    typeScript: "number",
    builder: drizzle("bigint", '{ mode: "number" }'),
    zero: { value: 0, sql: "0", typeScript: "0" },
    ...whole,
  },
  int64: {
    sql: "bigint",
    widensTo: ["numeric"],
    typeScript: "bigint",
    builder: drizzle("bigint", '{ mode: "bigint" }'),
    zero: { value: 0n, sql: "0", typeScript: "0n" },
    ...whole,
  },
  uint64: {
    sql: "numeric",
    typeScript: "bigint",
    builder: runtime("uint64"),
    zero: { value: 0n, sql: "0", typeScript: "0n" },
    ...whole,
  },
  float: { ...floating("real"), widensTo: ["double precision"], builder: runtime("float") },
  double: { ...floating("double precision"), builder: runtime("double") },
  timestamp: {
    sql: "timestamptz",
    typeScript: { wellKnown: "Timestamp" },
    builder: runtime("timestamptz"),
    literal: instantLiteral,
    compare: (a, b) => order(nanosOf(a), nanosOf(b)),
  },
  /** A google.protobuf.Duration, in nanoseconds. */
  duration: {
    sql: "numeric",
    typeScript: { wellKnown: "Duration" },
    builder: runtime("duration"),
    literal: (value) => String(nanosOf(value)),
    compare: (a, b) => order(nanosOf(a), nanosOf(b)),
  },
  /** A message, list or map in ProtoJSON form. How it is parsed depends on the field. */
  json: { sql: "jsonb" },
} satisfies Record<string, ColumnTypeEntry>;

export type ColumnTypeName = keyof typeof columnTypes;

/** Returns the properties of a column's type. */
export function entryOf({ type }: { readonly type: ColumnTypeName }): ColumnTypeEntry {
  return columnTypes[type];
}

/** The column types of scalars. */
export const scalarTypes: Readonly<Record<ScalarType, ColumnTypeName>> = {
  [ScalarType.STRING]: "text",
  [ScalarType.BOOL]: "boolean",
  [ScalarType.BYTES]: "bytes",
  [ScalarType.FLOAT]: "float",
  [ScalarType.DOUBLE]: "double",
  [ScalarType.INT32]: "int32",
  [ScalarType.SINT32]: "int32",
  [ScalarType.SFIXED32]: "int32",
  [ScalarType.UINT32]: "uint32",
  [ScalarType.FIXED32]: "uint32",
  [ScalarType.INT64]: "int64",
  [ScalarType.SINT64]: "int64",
  [ScalarType.SFIXED64]: "int64",
  [ScalarType.UINT64]: "uint64",
  [ScalarType.FIXED64]: "uint64",
};

/** Compares numbers and bigints, also with each other. */
function order(a: unknown, b: unknown): number {
  const [one, other] = [a as number, b as number];
  return one < other ? -1 : one > other ? 1 : 0;
}

function equality(a: unknown, b: unknown): number {
  return a === b ? 0 : 1;
}

/** Returns a text as an SQL literal, or undefined for one that PostgreSQL cannot hold. */
export function textLiteral(value: unknown): string | undefined {
  if (typeof value !== "string" || value.includes("\0")) return undefined;
  const quoted = value.replaceAll("'", "''");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a line break could be taken for a mark of the file
  if (!/[\\\x01-\x1f]/.test(quoted)) return `'${quoted}'`;
  const escaped = quoted
    .replaceAll("\\", "\\\\")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to escape
    .replaceAll(/[\x01-\x1f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return `E'${escaped}'`;
}

/** Returns a timestamp literal, if it is a whole number of microseconds: a row has no more precision. */
function instantLiteral(value: unknown): string | undefined {
  const { seconds, nanos } = value as { seconds: bigint; nanos: number };
  if (nanos % 1000 !== 0) return undefined;
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = nanos === 0 ? "" : `.${String(nanos / 1000).padStart(6, "0")}`;
  return `'${text}${fraction}Z'::timestamptz`;
}

function nanosOf(value: unknown): bigint {
  const { seconds, nanos } = value as { seconds: bigint; nanos: number };
  return seconds * 1_000_000_000n + BigInt(nanos);
}
