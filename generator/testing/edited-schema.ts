import type { ColumnSnapshot, IndexSnapshot, SchemaSnapshot, TableSnapshot } from "../migrate/snapshot.js";

/** What a column holds, as PostgreSQL prints it; null: nothing. */
type Value = string | null;

interface Kind {
  readonly type: string;
  readonly zero?: string;
  value(n: number): Value;
}

const kinds: readonly Kind[] = [
  { type: "text", zero: "''", value: (n) => `it's ${n}` },
  { type: "integer", zero: "0", value: String },
  { type: "bigint", zero: "0", value: (n) => `${n}00000000000` },
  { type: "boolean", zero: "false", value: (n) => (n % 2 === 0 ? "true" : "false") },
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
      () => this.#tables.length > 1 && choice % 3 === 0 && this.#tables.splice(which % this.#tables.length, 1),
    ];
    edits[kind % edits.length]!();
  }

  get snapshot(): SchemaSnapshot {
    const tables = this.#tables.map(
      ({ message, renamedFrom, name, columns, indexes }): TableSnapshot => ({
        message,
        ...(renamedFrom !== undefined && { renamedFrom }),
        name,
        key: 1,
        columns: [...columns],
        indexes: indexes.map((index) => this.#indexOf(name, columns, index)),
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
        for (const { field, type } of table.columns.slice(1)) {
          if ((n + field) % 2 === 0 || isUnique(table, field))
            row.set(field, kinds.find((kind) => kind.type === type)!.value(n));
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
    this.#tables.push({ message, name, columns: [id], indexes: [], rows: [], next: 2 });
  }

  #addColumn(table: Table, { type, zero }: Kind, optional: boolean): void {
    const nullable = optional || zero === undefined;
    const column: ColumnSnapshot = {
      field: table.next++,
      name: this.#name("field"),
      type,
      nullable,
      ...(!nullable && { default: zero }),
    };
    table.columns.push(column);
    for (const row of table.rows) row.set(column.field, zeroOf(column));
  }

  #drop(table: Table, { field }: ColumnSnapshot): void {
    table.columns = table.columns.filter((column) => column.field !== field);
    table.indexes = table.indexes.filter(({ fields }) => !fields.includes(field));
    for (const row of table.rows) row.delete(field);
  }

  #widen(table: Table, column: ColumnSnapshot): void {
    if (column.type === "integer") this.#change(table, column, { type: "bigint" });
  }

  #toggle(table: Table, column: ColumnSnapshot): void {
    const zero = kinds.find(({ type }) => type === column.type)!.zero;
    // What has no value now would all get the same.
    if (zero === undefined || isUnique(table, column.field)) return;
    const { default: _, ...rest } = column;
    const changed = column.nullable ? { ...rest, nullable: false, default: zero } : { ...rest, nullable: true };
    table.columns = table.columns.map((other) => (other === column ? changed : other));
    for (const row of table.rows) row.set(column.field, row.get(column.field) ?? zeroOf(changed));
  }

  #addIndex(table: Table, { field, type }: ColumnSnapshot, wanted: boolean): void {
    if (type === "jsonb" || table.indexes.some(({ fields }) => fields[0] === field)) return;
    const values = table.rows.map((row) => row.get(field));
    const unique = wanted && type !== "boolean" && new Set(values).size === values.length;
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

function isUnique({ indexes }: Table, field: number): boolean {
  return indexes.some(({ fields, unique }) => unique && fields.includes(field));
}

/** What a column holds in a row that says nothing of it. */
function zeroOf({ default: zero, nullable }: ColumnSnapshot): Value {
  return nullable || zero === undefined ? null : zero.replace(/^'(.*)'$/, "$1");
}
