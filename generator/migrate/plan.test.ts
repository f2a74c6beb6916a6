import { describe, expect, test } from "vitest";
import type { Allowable } from "./changes.js";
import { emptySchema, planMigration } from "./plan.js";
import type { ColumnSnapshot, SchemaSnapshot, TableSnapshot } from "./snapshot.js";
import { withTombstones } from "./tombstones.js";

const id: ColumnSnapshot = { field: 1, name: "id", type: "text", nullable: false };
const text = (field: number, name: string): ColumnSnapshot => ({ field, name, type: "text", nullable: true });
const number = (field: number, name: string): ColumnSnapshot => ({
  field,
  name,
  type: "integer",
  nullable: false,
  default: "0",
});
const table = (columns: readonly ColumnSnapshot[], rest: Partial<TableSnapshot> = {}): TableSnapshot => ({
  message: "a.v1.Note",
  name: "notes",
  key: 1,
  columns: [id, ...columns],
  indexes: [],
  ...rest,
});
const schema = (...tables: readonly TableSnapshot[]): SchemaSnapshot => ({ version: 1, tables, messages: {} });

/** Goes from schema to schema, and answers the last step: its SQL, or the rules that it breaks. */
function walk(schemas: readonly SchemaSnapshot[], allowed: readonly Allowable[] = []): string[] {
  let before = emptySchema;
  let last: string[] = [];
  for (const after of schemas) {
    const planned = planMigration(before, after, allowed);
    last =
      "refusals" in planned
        ? planned.refusals.map(({ rule, problem }) => `${rule}: ${problem}`)
        : [...planned.statements, ...planned.outside].map(({ sql }) => sql);
    before = withTombstones(before, after);
  }
  return last;
}

const loses: Allowable[] = ["MIGRATION_LOSES_DATA"];

describe("a number", () => {
  test("is not given to another field, however long its own is gone", () => {
    const schemas = [schema(table([text(2, "a")])), schema(table([])), schema(table([text(3, "b")]))];
    expect(walk([...schemas, schema(table([text(2, "c"), text(3, "b")]))], loses)).toEqual([
      expect.stringMatching(
        /^MIGRATION_NUMBER_REUSED: Number 2 was a \(text\).*Give c a number that no field ever had/,
      ),
    ]);
  });

  test("does not change its name and type together", () => {
    expect(walk([schema(table([text(2, "a")])), schema(table([number(2, "b")]))], loses)).toEqual([
      expect.stringMatching(/^MIGRATION_NUMBER_REUSED: Number 2 was a \(text\)/),
    ]);
  });

  test("does not change while the name stays", () => {
    expect(walk([schema(table([text(2, "a")])), schema(table([text(3, "a")]))], loses)).toEqual([
      expect.stringMatching(/^MIGRATION_NUMBER_REUSED: a was number 2 and is 3 now/),
    ]);
  });

  test("is remembered of a table that is gone", () => {
    const schemas = [schema(table([text(2, "a"), text(3, "b")])), schema()];
    expect(walk(schemas, loses)).toEqual(['DROP TABLE "notes"']);
    expect(walk([...schemas, schema(table([number(2, "a"), text(3, "b")]))], loses)).toEqual([
      expect.stringMatching(/^MIGRATION_NUMBER_REUSED: Number 2 was a/),
    ]);
    expect(walk([...schemas, schema(table([text(3, "b")]))], loses)).toEqual([
      expect.stringMatching(/^CREATE TABLE "notes"/),
    ]);
  });
});

describe("a table", () => {
  const before = schema(table([text(2, "a")]));

  test("follows its message to another name", () => {
    const after = table([text(2, "a")], { message: "a.v1.Sheet", name: "sheets", renamedFrom: "a.v1.Note" });
    expect(walk([before, schema(after)])).toEqual(['ALTER TABLE "notes" RENAME TO "sheets"']);
    expect(walk([before, schema(after), schema({ ...after, renamedFrom: undefined })])).toEqual([]);
  });

  test("has one heir", () => {
    const heir = table([], { message: "a.v1.Sheet", name: "sheets", renamedFrom: "a.v1.Note" });
    expect(walk([before, schema(table([text(2, "a")]), heir)])).toContainEqual(
      expect.stringMatching(/^MIGRATION_REFUSED: a.v1.Sheet says that it was a.v1.Note, whose table a.v1.Note has too/),
    );
  });

  test("may have the name of one that is dropped", () => {
    const other = table([], { message: "a.v1.Other" });
    expect(walk([before, schema(other)], loses)).toEqual([
      'DROP TABLE "notes"',
      expect.stringMatching(/^CREATE TABLE/),
    ]);
  });
});

describe("what an older process would stumble over", () => {
  const allowed: Allowable[] = ["MIGRATION_BREAKS_OLD"];
  const wide = { ...number(2, "a"), type: "bigint" };

  test("is planned when it is allowed, where nothing can go wrong", () => {
    expect(walk([schema(table([number(2, "a")])), schema(table([wide]))])).toEqual([
      expect.stringMatching(/^MIGRATION_BREAKS_OLD: a was integer and is bigint now/),
    ]);
    expect(walk([schema(table([number(2, "a")])), schema(table([wide]))], allowed)).toEqual([
      'ALTER TABLE "notes" ALTER COLUMN "a" TYPE bigint',
    ]);
    expect(walk([schema(table([wide])), schema(table([number(2, "a")]))], allowed)).toEqual([
      expect.stringMatching(/^MIGRATION_REFUSED: a was bigint and is integer now/),
    ]);
  });

  test("binds new rows first, then fills and looks at the others", () => {
    const after = { ...text(2, "a"), nullable: false, default: "''" };
    expect(walk([schema(table([text(2, "a")])), schema(table([after]))], allowed)).toEqual([
      `ALTER TABLE "notes" ALTER COLUMN "a" SET DEFAULT ''`,
      'ALTER TABLE "notes" ADD CONSTRAINT "notes_a_filled" CHECK ("a" IS NOT NULL) NOT VALID',
      `UPDATE "notes" SET "a" = '' WHERE "a" IS NULL`,
      'ALTER TABLE "notes" VALIDATE CONSTRAINT "notes_a_filled"',
      'ALTER TABLE "notes" ALTER COLUMN "a" SET NOT NULL',
      'ALTER TABLE "notes" DROP CONSTRAINT IF EXISTS "notes_a_filled"',
    ]);
  });
});

describe("a constraint", () => {
  const check = (name: string, sql: (string | number)[], refusesDefault?: true) => ({
    name,
    sql,
    ...(refusesDefault && { refusesDefault }),
  });
  const columns = [text(2, "a"), number(3, "b")];
  const rule = check("notes_b_check", [3, " > 0"]);
  const parent = table([], { message: "a.v1.Parent", name: "parents" });
  const child = (rest: Partial<TableSnapshot> = {}) =>
    table(columns, { references: [{ name: "notes_a_fkey", field: 2, message: "a.v1.Parent" }], ...rest });

  test("binds new rows first, then is shown to hold for the others", () => {
    expect(walk([schema(table(columns)), schema(table(columns, { checks: [rule] }))])).toEqual([
      'ALTER TABLE "notes" ADD CONSTRAINT "notes_b_check" CHECK ("b" > 0) NOT VALID',
      'ALTER TABLE "notes" VALIDATE CONSTRAINT "notes_b_check"',
    ]);
    expect(walk([schema(table(columns), parent), schema(child(), parent)])).toEqual([
      'ALTER TABLE "notes" ADD CONSTRAINT "notes_a_fkey" FOREIGN KEY ("a") REFERENCES "parents" ("id") NOT VALID',
      'ALTER TABLE "notes" VALIDATE CONSTRAINT "notes_a_fkey"',
    ]);
  });

  test("that changes is dropped and added; that is the same under other names is kept, or renamed", () => {
    const before = schema(table(columns, { checks: [rule] }));
    const [drop, add, validate] = walk([
      before,
      schema(table(columns, { checks: [check("notes_b_check", [3, " > 1"])] })),
    ]);
    expect(drop).toBe('ALTER TABLE "notes" DROP CONSTRAINT IF EXISTS "notes_b_check"');
    expect(add).toContain('CHECK ("b" > 1) NOT VALID');
    expect(validate).toContain("VALIDATE");
    const renamed = table([text(2, "a"), number(3, "c")], {
      name: "sheets",
      checks: [check("sheets_c_check", [3, " > 0"])],
    });
    expect(walk([before, schema(renamed)])).toEqual([
      'ALTER TABLE "notes" RENAME CONSTRAINT "notes_b_check" TO "sheets_c_check"',
      'ALTER TABLE "notes" RENAME TO "sheets"',
      'ALTER TABLE "sheets" RENAME COLUMN "b" TO "c"',
    ]);
  });

  test("is read anew with the new type of its column", () => {
    const wide = { ...number(3, "b"), type: "bigint" };
    const schemas = [
      [text(2, "a"), number(3, "b")],
      [text(2, "a"), wide],
    ].map((columns) => schema(table(columns, { checks: [rule] })));
    expect(walk(schemas, ["MIGRATION_BREAKS_OLD"]).map((sql) => sql.replace(/^ALTER TABLE "notes" /, ""))).toEqual([
      'DROP CONSTRAINT IF EXISTS "notes_b_check"',
      'ALTER COLUMN "b" TYPE bigint',
      'ADD CONSTRAINT "notes_b_check" CHECK ("b" > 0) NOT VALID',
      'VALIDATE CONSTRAINT "notes_b_check"',
    ]);
  });

  test("follows the table that it refers to", () => {
    const heir = { ...parent, message: "a.v1.Heir", renamedFrom: "a.v1.Parent", name: "heirs" };
    const after = child({ references: [{ name: "notes_a_fkey", field: 2, message: "a.v1.Heir" }] });
    expect(walk([schema(child(), parent), schema(after, heir)])).toEqual(['ALTER TABLE "parents" RENAME TO "heirs"']);
  });

  test("is there after the tables that it is about, and gone before them", () => {
    expect(walk([schema(child(), parent)])).toEqual([
      expect.stringMatching(/^CREATE TABLE "notes"/),
      expect.stringMatching(/^CREATE TABLE "parents"/),
      'ALTER TABLE "notes" ADD CONSTRAINT "notes_a_fkey" FOREIGN KEY ("a") REFERENCES "parents" ("id")',
    ]);
    expect(walk([schema(child(), parent), schema()], loses)).toEqual([
      'ALTER TABLE "notes" DROP CONSTRAINT IF EXISTS "notes_a_fkey"',
      'DROP TABLE "notes"',
      'DROP TABLE "parents"',
    ]);
    expect(walk([schema(child(), parent), schema(table(columns))], loses)).toEqual([
      'ALTER TABLE "notes" DROP CONSTRAINT IF EXISTS "notes_a_fkey"',
      'DROP TABLE "parents"',
    ]);
  });

  test("that refuses what older processes write of a new field is refused itself, unless it is allowed", () => {
    const strict = check("notes_b_check", [3, " > 0"], true);
    const schemas = [schema(table([text(2, "a")])), schema(table(columns, { checks: [strict] }))];
    expect(walk(schemas)).toEqual([
      expect.stringMatching(/^MIGRATION_BREAKS_OLD: b is new, and its rule notes_b_check refuses rows without it/),
    ]);
    expect(walk(schemas, ["MIGRATION_BREAKS_OLD"])).toHaveLength(3);
    expect(walk([schema(table(columns)), schemas[1]!])).toHaveLength(2);
  });

  test("has a text that is empty become NULL where it refers to rows from now on", () => {
    const plain = { ...text(2, "a"), nullable: false, default: "''" };
    const refers = { ...text(2, "a"), emptyIsNull: true as const };
    const [before, after] = [table([plain]), { ...child(), columns: [id, refers] }];
    expect(walk([schema(before, parent), schema(after, parent)])).toEqual([
      expect.stringMatching(/^MIGRATION_BREAKS_OLD: a refers to another row now/),
    ]);
    expect(walk([schema(before, parent), schema(after, parent)], ["MIGRATION_BREAKS_OLD"])).toEqual([
      'ALTER TABLE "notes" ALTER COLUMN "a" DROP NOT NULL',
      'ALTER TABLE "notes" ALTER COLUMN "a" DROP DEFAULT',
      'ALTER TABLE "notes" ADD CONSTRAINT "notes_a_fkey" FOREIGN KEY ("a") REFERENCES "parents" ("id") NOT VALID',
      `UPDATE "notes" SET "a" = NULL WHERE "a" = ''`,
      'ALTER TABLE "notes" VALIDATE CONSTRAINT "notes_a_fkey"',
    ]);
  });
});

test("what was JSON before there was a better column is made into it when it is allowed", () => {
  const json = (type: string): ColumnSnapshot => ({ ...text(2, "a"), type: "jsonb", json: `google.protobuf.${type}` });
  const allowed: Allowable[] = ["MIGRATION_BREAKS_OLD"];
  const duration = { ...text(2, "a"), type: "numeric", json: "google.protobuf.Duration" };
  expect(walk([schema(table([json("Duration")])), schema(table([duration]))])).toEqual([
    expect.stringMatching(/^MIGRATION_BREAKS_OLD/),
  ]);
  expect(walk([schema(table([json("Duration")])), schema(table([duration]))], allowed)).toEqual([
    `ALTER TABLE "notes" ALTER COLUMN "a" TYPE numeric USING trunc(rtrim("a" #>> '{}', 's')::numeric * 1000000000)`,
  ]);
  expect(
    walk([schema(table([json("BytesValue")])), schema(table([{ ...text(2, "a"), type: "bytea" }]))], allowed),
  ).toEqual([`ALTER TABLE "notes" ALTER COLUMN "a" TYPE bytea USING decode("a" #>> '{}', 'base64')`]);
});

test("what was JSON is not made into something else", () => {
  const json = (type: string): ColumnSnapshot => ({ ...text(2, "a"), type: "jsonb", json: `google.protobuf.${type}` });
  const others: [ColumnSnapshot, ColumnSnapshot][] = [
    [json("Duration"), { ...text(2, "a"), type: "numeric" }],
    [json("UInt64Value"), { ...text(2, "a"), type: "numeric", json: "google.protobuf.Duration" }],
    [json("StringValue"), { ...text(2, "a"), type: "integer" }],
    [json("Struct"), text(2, "a")],
  ];
  for (const [from, to] of others) {
    expect(walk([schema(table([from])), schema(table([to]))], ["MIGRATION_BREAKS_OLD"])).toEqual([
      expect.stringMatching(/^MIGRATION_REFUSED/),
    ]);
  }
});

test("an index is built and dropped while its table is in use, and the new one is there before the old one goes", () => {
  const index = (fields: number[], name: string) => ({ name, fields, unique: false });
  const columns = [text(2, "a"), text(3, "b")];
  const before = table(columns, { indexes: [index([2], "notes_a_idx")] });
  const after = table(columns, { indexes: [index([2, 3], "notes_a_b_idx")] });
  expect(walk([schema(before), schema(after)])).toEqual([
    'CREATE INDEX CONCURRENTLY "notes_a_b_idx" ON "notes" ("a", "b")',
    'DROP INDEX CONCURRENTLY IF EXISTS "notes_a_idx"',
  ]);
});
