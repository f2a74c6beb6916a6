import { type ColumnTypeEntry, columnTypes } from "../contract/entities/column-types.js";
import type { Changes } from "./changes.js";
import type { ColumnSnapshot, TableSnapshot } from "./snapshot.js";
import { alterColumn, alterTable, concurrent, exclusive, quoted } from "./sql.js";
import type { Statement } from "./statement.js";
import { replaceField } from "./steps.js";

/** The types to which PostgreSQL casts each type without changing values, by its name there. */
const widenings: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.values<ColumnTypeEntry>(columnTypes).flatMap(({ sql, widensTo }) => (widensTo ? [[sql, widensTo]] : [])),
);

/** Types that were stored as JSON and now have a column type: the type, and its conversion from JSON text. */
const recasts: Readonly<Record<string, readonly [type: string, make: (text: string) => string]>> = {
  Duration: [columnTypes.duration.sql, (text) => `trunc(rtrim(${text}, 's')::numeric * 1000000000)`],
  BytesValue: [columnTypes.bytes.sql, (text) => `decode(${text}, 'base64')`],
  ...Object.fromEntries(
    Object.entries({
      StringValue: columnTypes.text,
      BoolValue: columnTypes.boolean,
      Int32Value: columnTypes.int32,
      UInt32Value: columnTypes.uint32,
      Int64Value: columnTypes.int64,
      UInt64Value: columnTypes.uint64,
      FloatValue: columnTypes.float,
      DoubleValue: columnTypes.double,
    }).map(([name, { sql }]) => [name, [sql, (text: string) => `(${text})::${sql}`] as const]),
  ),
};

/** Undefined: values change. */
function recast(from: ColumnSnapshot, to: ColumnSnapshot): string | undefined {
  const name = from.json?.replace(/^google\.protobuf\./, "") ?? "";
  const [type, make] = recasts[name] ?? [];
  const json = name === "Duration" ? from.json : undefined;
  if (from.type !== columnTypes.json.sql || to.type !== type || to.json !== json) return undefined;
  return make?.(`${quoted(to.name)} #>> '{}'`);
}

/** Plans a type change: the table is locked while the column is rewritten, and an older process misreads it. */
export function planType(table: TableSnapshot, from: ColumnSnapshot, to: ColumnSnapshot, changes: Changes): void {
  if (from.type === to.type && from.json === to.json) return;
  const title = `change_${table.name}_${to.name}`;
  const using = recast(from, to);
  const statement: Statement = {
    ...alterColumn(table, to, `TYPE ${to.type}${using === undefined ? "" : ` USING ${using}`}`),
    rows: "rewritten",
    breaksOld: true,
  };
  const refusal = {
    message: table.message,
    field: to.field,
    problem: `${to.name} was ${from.json ?? from.type} and is ${to.json ?? to.type} now, and processes of both versions run side by side. Add a new field instead, and mark this one deprecated`,
    steps: replaceField(table, from, to),
    statement: statement.sql,
    title,
  };
  if (!widenings[from.type]?.includes(to.type) && using === undefined) {
    changes.refuse({ rule: "MIGRATION_REFUSED", ...refusal });
  } else if (changes.allows({ rule: "MIGRATION_BREAKS_OLD", ...refusal })) {
    changes.plan("alter", statement, title);
  }
}

/** Plans a change of nullability: an older process fails on an unexpected NULL, and writes one where it must not. */
export function planNullability(
  table: TableSnapshot,
  from: ColumnSnapshot,
  to: ColumnSnapshot,
  changes: Changes,
): void {
  // Only a column with a default can be filled.
  if (from.nullable === to.nullable || from.type !== to.type) return;
  const title = `change_${table.name}_${to.name}`;
  const planned = changes.allows({
    rule: "MIGRATION_BREAKS_OLD",
    message: table.message,
    field: to.field,
    problem: to.emptyIsNull
      ? `${to.name} refers to another row now, and where it is empty it is NULL, which a process of the version before cannot read. Refer by a new field instead`
      : to.nullable
        ? `${to.name} may be absent now, which a process of the version before cannot read. Add a new field instead`
        : `${to.name} can no longer be absent, but rows may have none. Keep it optional`,
    steps: replaceField(table, from, to),
    statement: alterColumn(table, to, `${to.nullable ? "DROP" : "SET"} NOT NULL`).sql,
    title,
  });
  if (!planned) return;
  if (to.nullable) loosen(table, to, changes, title);
  else tighten(table, from, to, changes, title);
}

function loosen(table: TableSnapshot, column: ColumnSnapshot, changes: Changes, title: string): void {
  changes.plan("alter", { ...alterColumn(table, column, "DROP NOT NULL"), breaksOld: true }, title);
  changes.plan("alter", alterColumn(table, column, "DROP DEFAULT"));
  if (!column.emptyIsNull) return;
  const name = quoted(column.name);
  changes.plan("outside", {
    sql: `UPDATE ${quoted(table.name)} SET ${name} = NULL WHERE ${name} = ''`,
    lock: "ROW EXCLUSIVE",
    rows: "rewritten",
  });
}

/** A NOT VALID constraint applies to new rows at once. Existing rows are validated while the table is in use. */
function tighten(
  table: TableSnapshot,
  from: ColumnSnapshot,
  column: ColumnSnapshot,
  changes: Changes,
  title: string,
): void {
  const name = quoted(column.name);
  const constraint = quoted(`${table.name.slice(0, 28)}_${column.name.slice(0, 27)}_filled`);
  changes.plan("alter", alterColumn(table, column, `SET DEFAULT ${column.default}`), title);
  changes.plan("alter", {
    ...exclusive(`${alterTable(table)} ADD CONSTRAINT ${constraint} CHECK (${name} IS NOT NULL) NOT VALID`),
    breaksOld: true,
  });
  changes.plan("outside", {
    sql: `UPDATE ${quoted(table.name)} SET ${name} = ${column.default} WHERE ${name} IS NULL`,
    lock: "ROW EXCLUSIVE",
    rows: "rewritten",
    ...(!from.emptyIsNull && { hint: "Afterwards unset values cannot be told from the default", losesData: true }),
  });
  changes.plan("outside", concurrent(`${alterTable(table)} VALIDATE CONSTRAINT ${constraint}`, "scanned"));
  changes.plan("outside", {
    ...alterColumn(table, column, "SET NOT NULL"),
    hint: "The constraint has shown that it holds, so the rows are not looked at again",
  });
  changes.plan("outside", exclusive(`${alterTable(table)} DROP CONSTRAINT IF EXISTS ${constraint}`));
}
