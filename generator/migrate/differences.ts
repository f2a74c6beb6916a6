import type { LiveColumn, LiveConstraint, LiveIndex, LiveTable } from "./live-schema.js";
import type { ColumnSnapshot, IndexSnapshot, SchemaSnapshot, TableSnapshot } from "./snapshot.js";

/**
 * Returns the differences between a database and its newest snapshot, one sentence each without its full stop. Ignores tables
 * that are not in the contract.
 *
 * @param made the tables as the database would create them now, with which the texts of CHECKs are compared
 */
export function differences(
  wanted: SchemaSnapshot,
  live: ReadonlyMap<string, LiveTable>,
  made: ReadonlyMap<string, LiveTable>,
): string[] {
  const names = new Set(wanted.tables.map(({ name }) => name));
  return [
    ...wanted.tables.flatMap((table) => {
      const found = live.get(table.name);
      return found === undefined
        ? [`table ${table.name} is missing`]
        : ofTable(table, found, wanted, made.get(table.name));
    }),
    ...(wanted.dropped ?? [])
      .filter(({ name }) => live.has(name) && !names.has(name))
      .map(({ name }) => `table ${name} was dropped, but is there`),
  ];
}

function ofTable(table: TableSnapshot, live: LiveTable, schema: SchemaSnapshot, made: LiveTable | undefined): string[] {
  const key = table.columns.find(({ field }) => field === table.key)!.name;
  return [
    ...(live.key.join() === key ? [] : [`${table.name} has the primary key (${live.key.join(", ")}), not (${key})`]),
    ...both(table.columns, live.columns, (column) => `column ${table.name}.${column}`, ofColumn),
    ...both(
      table.indexes,
      live.indexes,
      (index) => `index ${index} of ${table.name}`,
      (index, found) => ofIndex(table, index, found),
    ),
    ...both(
      constraintsOf(table, schema, made),
      live.constraints,
      (constraint) => `constraint ${constraint} of ${table.name}`,
      ofConstraint,
    ),
  ];
}

/** Returns the expected constraints of a table. */
function constraintsOf(table: TableSnapshot, schema: SchemaSnapshot, made: LiveTable | undefined): WantedConstraint[] {
  const target = (wanted: string) => schema.tables.find(({ message }) => message === wanted)?.name ?? null;
  return [
    ...(table.checks ?? []).map(({ name }) => ({
      name,
      refersTo: null,
      columns: [],
      definition: made?.constraints.find((constraint) => constraint.name === name)?.definition,
    })),
    ...(table.references ?? []).map(({ name, field, message }) => ({
      name,
      refersTo: target(message),
      columns: table.columns.filter((column) => column.field === field).map((column) => column.name),
      definition: undefined,
    })),
  ];
}

interface WantedConstraint extends Pick<LiveConstraint, "name" | "refersTo" | "columns"> {
  /** Of a CHECK. */
  readonly definition: string | undefined;
}

function ofConstraint(wanted: WantedConstraint, live: LiveConstraint): string[] {
  const invalid = live.valid ? [] : ["is NOT VALID, for a row broke it: settle that, and scaffold migrate up goes on"];
  if (wanted.refersTo === null) {
    return live.definition === wanted.definition
      ? invalid
      : [...invalid, `is ${live.definition}, not ${wanted.definition}`];
  }
  const same = live.refersTo === wanted.refersTo && live.columns.join() === wanted.columns.join();
  return same ? invalid : [...invalid, `is ${live.definition}, not a reference to ${wanted.refersTo}`];
}

/** Pairs expected and existing items by name. */
function both<Wanted extends { name: string }, Live extends { name: string }>(
  wanted: readonly Wanted[],
  live: readonly Live[],
  place: (name: string) => string,
  compare: (wanted: Wanted, live: Live) => readonly string[],
): string[] {
  return [
    ...wanted.flatMap((one) => {
      const found = live.find(({ name }) => name === one.name);
      if (found === undefined) return [`${place(one.name)} is missing`];
      return compare(one, found).map((what) => `${place(one.name)} ${what}`);
    }),
    ...live
      .filter(({ name }) => !wanted.some((one) => one.name === name))
      .map(({ name }) => `${place(name)} is in no migration's schema`),
  ];
}

function ofColumn(column: ColumnSnapshot, live: LiveColumn): string[] {
  const found = live.default === null ? undefined : literal(live.default);
  const wanted = column.nullable ? undefined : column.default && literal(column.default);
  return [
    ...(live.type === column.type ? [] : [`is ${live.type}, not ${column.type}`]),
    ...(live.nullable === column.nullable ? [] : [live.nullable ? "may be NULL" : "is NOT NULL"]),
    ...(found === wanted ? [] : [`has ${said(found)}, not ${said(wanted)}`]),
  ];
}

function ofIndex(table: TableSnapshot, index: IndexSnapshot, live: LiveIndex): string[] {
  const columns = index.fields.map((number) => table.columns.find(({ field }) => field === number)!.name);
  const covered = live.columns.map((name) => name.replace(/^"(.*)"$/, "$1"));
  return [
    ...(live.valid ? [] : ["is INVALID because its build was interrupted: scaffold migrate up builds it again"]),
    ...(live.unique === index.unique ? [] : [live.unique ? "is unique" : "is not unique"]),
    ...(covered.join() === columns.join() ? [] : [`covers (${covered.join(", ")}), not (${columns.join(", ")})`]),
  ];
}

function said(value: string | undefined): string {
  return value === undefined ? "no default" : `the default ${value}`;
}

/** `'[]'::jsonb` and `'[]'`, `'-1'::integer`, `(-1)` and `-1` are the same. */
function literal(expression: string): string {
  const plain = expression.replace(/::[a-z ]+$/, "").replace(/^\((.*)\)$/, "$1");
  return /^'-?[\d.]+'$/.test(plain) ? plain.slice(1, -1) : plain;
}
