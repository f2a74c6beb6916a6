import type { ColumnSnapshot, IndexSnapshot, SchemaSnapshot, TableSnapshot } from "../migrate/snapshot.js";

/** What a column holds, as PostgreSQL prints it; null: nothing. */
type Value = string | null;

interface Kind {
  readonly type: string;
  readonly json?: string;
  readonly zero?: string;
  value(n: number): Value;
}

const kinds: readonly Kind[] = [
  { type: "text", zero: "''", value: (n) => `it's ${n}` },
  { type: "integer", zero: "0", value: String },
  { type: "bigint", zero: "0", value: (n) => `${n}00000000000` },
  { type: "boolean", zero: "false", value: (n) => (n % 2 === 0 ? "true" : "false") },
  { type: "numeric", zero: "0", value: (n) => `1844674407370955${n % 10_000}` },
  { type: "numeric", json: "google.protobuf.Duration", value: (n) => `-${n}000000001` },
  { type: "jsonb", zero: "'[]'", value: (n) => `[${n}]` },
  {
    type: "timestamptz",
    value: (n) =>
      `2020-01-01 00:00:00.${String(n % 900_000).padStart(6, "0")}+00`.replace(/0+\+/, "+").replace(".+", "+"),
  },
];

interface Table {
  message: string;
  renamedFrom?: string;
  name: string;
  columns: ColumnSnapshot[];
  indexes: { fields: number[]; unique: boolean }[];
  /** Members of each. */
  oneofs: number[][];
  /** The fields that have a rule. */
  checked: Set<number>;
  /** By field, the message whose key it holds. */
  references: Map<number, Table>;
  /** By field number. */
  rows: Map<number, Value>[];
  next: number;
}

/** What to do to a contract: which edit, of what. */
export interface Edit {
  readonly kind: number;
  readonly table: number;
  readonly column: number;
  readonly choice: number;
}

/** What every value fulfils that is ever given to a column of this type. */
const rules: Readonly<Record<string, (field: number) => (string | number)[]>> = {
  text: (field) => ["char_length(", field, ") <= 100 AND ", field, " NOT IN ('it''s; gone', E'\\x0a')"],
  integer: (field) => [field, " >= 0 AND ", field, " <> -1"],
  bigint: (field) => [field, " >= 0"],
  boolean: (field) => [field, " IN (true, false)"],
  numeric: (field) => [field, " < 18446744073709551616"],
  jsonb: (field) => ["jsonb_array_length(", field, ") <= 5"],
  timestamptz: (field) => [field, " >= '0001-01-01T00:00:00Z'::timestamptz"],
};

/** A contract that is edited again and again, and all rows that its database is to hold. */
export class EditedSchema {
  #tables: Table[] = [];
  #names = 0;

  constructor() {
    this.#addTable();
  }

  /** Changes the contract, as people do. */
  edit({ kind, table: which, column: what, choice }: Edit): void {
    const table = this.#tables[which % this.#tables.length]!;
    const fields = table.columns.slice(1);
    const column = fields[what % Math.max(1, fields.length)];
    const edits: (() => void)[] = [
      () => this.#addColumn(table, kinds[choice % kinds.length]!, choice % 2 === 0),
      () => this.#addColumn(table, kinds[choice % kinds.length]!, choice % 2 === 1),
      () => column && this.#change(table, column, { name: this.#name("field") }),
      () => column && this.#drop(table, column),
      () => column && this.#widen(table, column),
      () => column && this.#toggle(table, column),
      () => column && this.#addIndex(table, column, choice % 2 === 0),
      () => table.indexes.splice(choice % Math.max(1, table.indexes.length), 1),
      () => {
        table.name = this.#name("table");
      },
      () => {
        table.renamedFrom = table.message;
        table.message = `a.v1.${this.#name("Message")}`;
      },
      () => this.#tables.length < 4 && this.#addTable(),
      () => this.#tables.length > 1 && choice % 3 === 0 && this.#dropTable(table),
      () => this.#addOneof(table, choice),
      () => column && this.#toggleCheck(table, column),
      () => this.#addReference(table, this.#tables[choice % this.#tables.length]!),
      () => column && this.#toggleReference(table, column, this.#tables[choice % this.#tables.length]!),
    ];
    edits[kind % edits.length]!();
  }

  get snapshot(): SchemaSnapshot {
    const tables = this.#tables.map(
      ({ message, renamedFrom, name, columns, indexes, oneofs, checked, references }): TableSnapshot => ({
        message,
        ...(renamedFrom !== undefined && { renamedFrom }),
        name,
        key: 1,
        columns: [...columns],
        indexes: indexes.map((index) => this.#indexOf(name, columns, index)),
        checks: [
          ...oneofs.map((members, i) => ({
            name: `${name}_${i}_oneof`,
            sql: ["num_nonnulls(", ...members.flatMap((field, i) => (i === 0 ? [field] : [", ", field])), ") <= 1"],
          })),
          ...columns
            .filter(({ field }) => checked.has(field))
            .map((column) => ({ name: `${name}_${column.name}_check`, sql: rules[column.type]!(column.field) })),
        ],
        references: columns.flatMap((column) => {
          const target = references.get(column.field);
          if (target === undefined) return [];
          return [{ name: `${name}_${column.name}_fkey`, field: column.field, message: target.message }];
        }),
      }),
    );
    return { version: 1, tables: tables.sort((a, b) => (a.message < b.message ? -1 : 1)), messages: {} };
  }

  /** Adds a row to each table, with half of its columns set; answers the SQL that does so in the database. */
  insert(): string {
    return this.#tables
      .map((table) => {
        const n = ++this.#names;
        const row = new Map(table.columns.map((column) => [column.field, zeroOf(column)]));
        row.set(1, String(n).padStart(9, "0"));
        for (const column of table.columns.slice(1)) {
          const { field } = column;
          const members = table.oneofs.find((oneof) => oneof.includes(field));
          const target = table.references.get(field);
          if (members !== undefined) {
            if (members[n % (members.length + 1)] === field) row.set(field, kindOf(column).value(n));
          } else if (target !== undefined) {
            row.set(field, target.rows[n % (target.rows.length + 1)]?.get(1) ?? null);
          } else if ((n + field) % 2 === 0 || isUnique(table, field)) row.set(field, kindOf(column).value(n));
        }
        table.rows.push(row);
        const set = table.columns.filter((column) => row.get(column.field) !== zeroOf(column));
        const values = set.map(({ field }) => `'${row.get(field)!.replaceAll("'", "''")}'`);
        return `INSERT INTO "${table.name}" (${set.map(({ name }) => `"${name}"`).join()}) VALUES (${values.join()})`;
      })
      .join(";\n");
  }

  /** A query for each table, and the rows that it answers, in the order of their keys. */
  get expected(): { readonly query: string; readonly rows: readonly (readonly Value[])[] }[] {
    return this.#tables.map(({ name, columns, rows }) => ({
      query: `SELECT ${columns.map((column) => `"${column.name}"::text`).join()} FROM "${name}" ORDER BY "id"`,
      rows: rows.map((row) => columns.map(({ field }) => row.get(field) ?? null)),
    }));
  }

  #addTable(): void {
    const id = { field: 1, name: "id", type: "text", nullable: false };
    const [name, message] = [this.#name("table"), `a.v1.${this.#name("Message")}`];
    const [checked, references] = [new Set<number>(), new Map<number, Table>()];
    this.#tables.push({
      message,
      name,
      columns: [id],
      indexes: [],
      oneofs: [],
      checked,
      references,
      rows: [],
      next: 2,
    });
  }

  #dropTable(table: Table): void {
    this.#tables = this.#tables.filter((other) => other !== table);
    for (const { columns, references } of this.#tables) {
      for (const { field } of columns) if (references.get(field) === table) references.delete(field);
    }
  }

  #addOneof(table: Table, choice: number): void {
    const members = [0, 1, 2].map((i) => this.#addColumn(table, kinds[(choice + i) % kinds.length]!, true));
    table.oneofs.push(members.slice(0, 2 + (choice % 2)));
  }

  #toggleCheck({ checked }: Table, { field }: ColumnSnapshot): void {
    if (!checked.delete(field)) checked.add(field);
  }

  #addReference(table: Table, target: Table): void {
    const text = kinds.find(({ type }) => type === "text")!;
    table.references.set(this.#addColumn(table, text, true), target);
  }

  /** A field that refers to rows may do so no longer; one that did not may, if there is nothing in it yet. */
  #toggleReference(table: Table, { field, type, nullable }: ColumnSnapshot, target: Table): void {
    if (table.references.delete(field)) return;
    const isEmpty = table.rows.every((row) => row.get(field) === null);
    if (type === "text" && nullable && isEmpty && !isInOneof(table, field)) table.references.set(field, target);
  }

  #addColumn(table: Table, { type, zero, json }: Kind, optional: boolean): number {
    const nullable = optional || zero === undefined;
    const column: ColumnSnapshot = {
      field: table.next++,
      name: this.#name("field"),
      type,
      nullable,
      ...(!nullable && { default: zero }),
      ...(json !== undefined && { json }),
    };
    table.columns.push(column);
    for (const row of table.rows) row.set(column.field, zeroOf(column));
    return column.field;
  }

  #drop(table: Table, { field }: ColumnSnapshot): void {
    table.columns = table.columns.filter((column) => column.field !== field);
    table.indexes = table.indexes.filter(({ fields }) => !fields.includes(field));
    table.oneofs = table.oneofs
      .map((members) => members.filter((member) => member !== field))
      .filter((of) => of.length > 0);
    table.checked.delete(field);
    table.references.delete(field);
    for (const row of table.rows) row.delete(field);
  }

  #widen(table: Table, column: ColumnSnapshot): void {
    if (column.type === "integer") this.#change(table, column, { type: "bigint" });
  }

  #toggle(table: Table, column: ColumnSnapshot): void {
    const zero = kindOf(column).zero;
    // What has no value now would all get the same.
    if (zero === undefined || isUnique(table, column.field)) return;
    // What excludes others, and what refers to a row, has none at times.
    if (isInOneof(table, column.field) || table.references.has(column.field)) return;
    const { default: _, ...rest } = column;
    const changed = column.nullable ? { ...rest, nullable: false, default: zero } : { ...rest, nullable: true };
    table.columns = table.columns.map((other) => (other === column ? changed : other));
    for (const row of table.rows) row.set(column.field, row.get(column.field) ?? zeroOf(changed));
  }

  #addIndex(table: Table, { field, type }: ColumnSnapshot, wanted: boolean): void {
    if (type === "jsonb" || table.indexes.some(({ fields }) => fields[0] === field)) return;
    const values = table.rows.map((row) => row.get(field));
    const unique =
      wanted &&
      type !== "boolean" &&
      !isInOneof(table, field) &&
      !table.references.has(field) &&
      new Set(values).size === values.length;
    table.indexes.push({ fields: unique ? [field] : [field, 1], unique });
  }

  #change(table: Table, column: ColumnSnapshot, change: Partial<ColumnSnapshot>): void {
    table.columns = table.columns.map((other) => (other === column ? { ...column, ...change } : other));
  }

  #indexOf(
    table: string,
    columns: readonly ColumnSnapshot[],
    { fields, unique }: Table["indexes"][number],
  ): IndexSnapshot {
    const names = fields.map((number) => columns.find(({ field }) => field === number)!.name);
    return { name: [table, ...names, unique ? "key" : "idx"].join("_"), fields, unique };
  }

  #name(kind: string): string {
    return `${kind}_${++this.#names}`;
  }
}

function kindOf({ type, json }: ColumnSnapshot): Kind {
  return kinds.find((kind) => kind.type === type && kind.json === json)!;
}

function isInOneof({ oneofs }: Table, field: number): boolean {
  return oneofs.some((members) => members.includes(field));
}

function isUnique({ indexes }: Table, field: number): boolean {
  return indexes.some(({ fields, unique }) => unique && fields.includes(field));
}

/** What a column holds in a row that says nothing of it. */
function zeroOf({ default: zero, nullable }: ColumnSnapshot): Value {
  return nullable || zero === undefined ? null : zero.replace(/^'(.*)'$/, "$1");
}
