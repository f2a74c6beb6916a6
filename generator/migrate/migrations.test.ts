import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { migrate } from "@protoscaffold/runtime/codegen/tool/migrations";
import { openData } from "@protoscaffold/runtime/data/data";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { buildContract } from "../contract/build.js";
import type { Contract } from "../contract/contract.js";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { thingEntity } from "../testdata/columns/expected/generated/contract_repository.js";
import { testDatabase } from "../testing/database.js";
import { compile } from "../testing/image.js";
import { execute } from "../testing/tables.js";
import type { Allowable } from "./changes.js";
import { differencesOf } from "./check.js";
import { type Migrations, planMigrations } from "./migrations.js";
import { emptySchema, planMigration } from "./plan.js";
import { type ColumnSnapshot, type SchemaSnapshot, snapshotOf, type TableSnapshot } from "./snapshot.js";
import { printSql } from "./statement.js";

const testdata = fileURLToPath(new URL("./testdata/", import.meta.url));
const contracts = new Map<string, Contract>();

beforeAll(async () => {
  const folders = ["change", "refuse", "keep"].flatMap((name) => [
    join(testdata, name, "before"),
    join(testdata, name, "after"),
  ]);
  const others = ["columns", "library"].map((name) => fileURLToPath(new URL(`../testdata/${name}`, import.meta.url)));
  for (const folder of [...folders, ...others]) {
    const { contract, findings } = buildContract(await compile(folder));
    expect(findings).toEqual([]);
    contracts.set(folder.slice(folder.startsWith(testdata) ? testdata.length : dirname(folder).length + 1), contract);
  }
});

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "scaffold-migrations-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** What a contract asks for now; what is to be written is written. */
async function plan(name: string, allowed: readonly Allowable[] = []): Promise<Pick<Migrations, "files" | "findings">> {
  const { files, findings } = await planMigrations({ root, services: "services" }, contracts.get(name)!, allowed);
  for (const { path, content } of files) await write(path, content);
  return { files, findings };
}

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

const folder = "services/notes/migrations";
const list = () => readdir(join(root, folder)).then((names) => names.sort());
const messages = ({ findings }: Pick<Migrations, "findings">) => findings.map(({ message }) => message);

describe("a contract that changes", () => {
  test("becomes migrations: the first creates, the next adds and renames, and then there is nothing to do", async () => {
    for (const name of ["change/before", "change/after"]) {
      const { files, findings } = await plan(name);
      expect(findings).toEqual([]);
      for (const { path, content, owner } of files) {
        expect(owner).toBe("user");
        await expect(content).toMatchFileSnapshot(join(testdata, "change/expected", path.slice(folder.length + 1)));
      }
      expect(await plan(name)).toEqual({ files: [], findings: [] });
    }
    expect(await list()).toEqual((await readdir(join(testdata, "change/expected"))).sort());
  });

  test("keeps the rows that are there, and lets an older process insert", async () => {
    const url = await testDatabase();
    const directory = pathToFileURL(join(root, folder));
    await plan("change/before");
    await migrate({ url, directory });
    await execute(url, `INSERT INTO "order" ("id", "author", "lines") VALUES ('1', 'Ada', '[{"text": "x"}]')`);
    await plan("change/after");
    await migrate({ url, directory });
    await execute(url, `INSERT INTO "notes" ("id", "slug") VALUES ('2', 's')`);
    const { rows } = await execute(url, `SELECT "user", "author", "pinned", "attachments" FROM "notes" ORDER BY "id"`);
    expect(rows).toEqual([
      { user: "Ada", author: "", pinned: false, attachments: {} },
      { user: "", author: "", pinned: false, attachments: {} },
    ]);
    await execute(url, `INSERT INTO "order" ("name") VALUES ('a tag')`);
  });

  test("has the columns that the generated tables have", async () => {
    const url = await testDatabase();
    await plan("columns");
    await migrate({ url, directory: pathToFileURL(join(root, "services/columns/migrations")) });
    const data = openData({ url, service: "columns", entities: { things: { entity: thingEntity } } });
    const created = await data.repositories.things!.create({});
    const { rows } = await execute(url, `INSERT INTO "all_things" ("thing_id") VALUES ('zero') RETURNING *`);
    const zero = await data.repositories.things!.get("zero");
    await data.close();
    expect({ ...created, thingId: "zero" }).toEqual(zero);
    expect(Object.keys(rows[0])).toEqual(
      Object.values(contracts.get("columns")!.entities[0]!.columns).map(({ name }) => name),
    );
  });
});

describe("what must hold of rows", () => {
  test("is in the database, and verify misses what is not", async () => {
    const url = await testDatabase();
    await plan("library");
    const directory = pathToFileURL(join(root, "services/library/migrations"));
    await migrate({ url, directory });
    const schema = snapshotOf(contracts.get("library")!.services[0]!);
    expect(await differencesOf(schema, url)).toEqual([]);
    await execute(url, `INSERT INTO "books" ("id", "title", "pages") VALUES ('1', 'A', 1)`);
    await expect(execute(url, `UPDATE "books" SET "shelf_id" = 'x'`)).rejects.toThrow("books_shelf_id_fkey");
    await expect(execute(url, `UPDATE "books" SET "printing" = 1, "url" = ''`)).rejects.toThrow("books_edition_oneof");
    await execute(
      url,
      `ALTER TABLE "books" DROP CONSTRAINT "books_title_check", DROP CONSTRAINT "books_pages_check",
        ADD CONSTRAINT "books_pages_check" CHECK ("pages" >= 1) NOT VALID, ADD CONSTRAINT "own" CHECK ("pages" < 9)`,
    );
    expect(await differencesOf(schema, url)).toEqual([
      "constraint books_title_check of books is missing",
      "constraint books_pages_check of books is NOT VALID, for a row broke it: settle that, and scaffold migrate up goes on",
      "constraint books_pages_check of books is CHECK ((pages >= 1)), not CHECK ((pages >= 0))",
      "constraint own of books is in no migration's schema",
    ]);
  });
});

test("a row that breaks a new rule stops the migration, which goes on when it is settled", async () => {
  const url = await testDatabase();
  const directory = pathToFileURL(join(root, "notes"));
  const columns = [
    { field: 1, name: "id", type: "text", nullable: false },
    { field: 2, name: "size", type: "integer", nullable: true },
  ];
  const notes: TableSnapshot = { message: "a.v1.Note", name: "notes", key: 1, columns, indexes: [] };
  const schemas: SchemaSnapshot[] = [
    { version: 1, tables: [notes], messages: {} },
    { version: 1, tables: [{ ...notes, checks: [{ name: "notes_size_check", sql: [2, " > 0"] }] }], messages: {} },
  ];
  let before = emptySchema;
  for (const [i, schema] of schemas.entries()) {
    const planned = planMigration(before, schema);
    if ("refusals" in planned) throw new Error(JSON.stringify(planned.refusals));
    await write(`notes/000${i + 1}_step.sql`, printSql(planned.statements, planned.outside));
    before = schema;
    if (i > 0) break;
    await migrate({ url, directory });
    await execute(url, `INSERT INTO "notes" VALUES ('old', 0)`);
  }
  await expect(migrate({ url, directory })).rejects.toThrow(
    /"notes_size_check" of relation "notes" is violated by some row; what stands before it was applied, and the next run goes on/,
  );
  await expect(execute(url, `INSERT INTO "notes" VALUES ('new', 0)`)).rejects.toThrow("notes_size_check");
  await execute(url, `UPDATE "notes" SET "size" = 1`);
  await migrate({ url, directory });
  expect(await differencesOf(schemas[1]!, url)).toEqual([]);
});

test("durations and wrappers that were kept as JSON are the same in columns of their own", async () => {
  const url = await testDatabase();
  const names = {
    Duration: "numeric",
    BytesValue: "bytea",
    StringValue: "text",
    UInt64Value: "numeric",
    BoolValue: "boolean",
  };
  const columns = Object.entries(names).map(([name, type], i) => ({
    field: i + 2,
    name: name.toLowerCase(),
    nullable: true,
    type,
    json: `google.protobuf.${name}`,
  }));
  const now = columns.map((column) => (column.name === "duration" ? column : { ...column, json: undefined }));
  const id = { field: 1, name: "id", type: "text", nullable: false };
  const schema = (fields: ColumnSnapshot[]): SchemaSnapshot => ({
    version: 1,
    tables: [{ message: "a.v1.Note", name: "notes", key: 1, columns: [id, ...fields], indexes: [] }],
    messages: {},
  });
  const planned = planMigration(schema(columns.map((column) => ({ ...column, type: "jsonb" }))), schema(now), [
    "MIGRATION_BREAKS_OLD",
  ]);
  if ("refusals" in planned) throw new Error(JSON.stringify(planned.refusals));
  const values = {
    duration: '"-1.500s"',
    bytesvalue: '"AP8="',
    stringvalue: `"it's"`,
    uint64value: '"18446744073709551615"',
    boolvalue: "true",
  };
  const list = Object.values(values).map((value) => `'${value.replaceAll("'", "''")}'`);
  await execute(
    url,
    `CREATE TABLE "notes" ("id" text PRIMARY KEY, ${Object.keys(values)
      .map((name) => `"${name}" jsonb`)
      .join()});
     INSERT INTO "notes" VALUES ('1', ${list.join()}), ('2', NULL, NULL, NULL, NULL, NULL);
     ${planned.statements.map(({ sql }) => sql).join(";\n")}`,
  );
  const { rows } = await execute(url, `SELECT * FROM "notes" ORDER BY "id"`);
  expect(rows).toEqual([
    {
      id: "1",
      duration: "-1500000000",
      bytesvalue: Buffer.from([0, 255]),
      stringvalue: "it's",
      uint64value: "18446744073709551615",
      boolvalue: true,
    },
    { id: "2", duration: null, bytesvalue: null, stringvalue: null, uint64value: null, boolvalue: null },
  ]);
});

describe("a message that has other names now", () => {
  test("keeps its table and columns when the contract says what they are called", async () => {
    await plan("keep/before");
    const { files, findings } = await plan("keep/after");
    expect(findings).toEqual([]);
    expect(files.map(({ content }) => content)).toEqual([
      "-- Only the contract has changed: there is nothing to do in the database.\n",
      expect.stringContaining('"message": "desk.notes.v1.Sheet"'),
    ]);
    expect(await plan("keep/after")).toEqual({ files: [], findings: [] });
    const url = await testDatabase();
    await migrate({ url, directory: pathToFileURL(join(root, folder)) });
  });
});

describe("a change that is not planned", () => {
  test("is refused with its place and the way out, each of them, and nothing is written", async () => {
    await plan("refuse/before");
    const { files, findings } = await plan("refuse/after");
    expect(files).toEqual([]);
    await expect(findings.map(line).join("")).toMatchFileSnapshot(join(testdata, "refuse/diagnostics.txt"));
  });

  test("is taken as done by the migration that a person wrote", async () => {
    await plan("refuse/before");
    await write(`${folder}/0002_by_hand.sql`, `ALTER TABLE "notes" DROP COLUMN "gone";\n`);
    const { files, findings } = await plan("refuse/after");
    expect(findings).toEqual([]);
    expect(files.map(({ path }) => path)).toEqual([`${folder}/0002_by_hand.json`]);
    expect(await plan("refuse/after")).toEqual({ files: [], findings: [] });
  });
});

describe("a folder of migrations", () => {
  test("may have some that a person wrote for the rows alone", async () => {
    await plan("change/before");
    await write(`${folder}/0002_fill_slugs.sql`, `UPDATE "order" SET "slug" = "id";\n`);
    const { files } = await plan("change/after");
    expect(files.map(({ path }) => path.slice(folder.length + 1))).toEqual([
      "0002_fill_slugs.json",
      "0003_rename_order_to_notes_and_7_more.sql",
      "0003_rename_order_to_notes_and_7_more.json",
    ]);
  });

  test("is written anew when its newest was removed", async () => {
    const before = await plan("change/before");
    for (const { path } of before.files) await rm(join(root, path));
    expect(await plan("change/before")).toEqual(before);
    expect(before.files.every(({ recreate }) => recreate)).toBe(true);
  });

  test("has one migration for each number", async () => {
    await plan("change/before");
    await write(`${folder}/0001_else.sql`, "");
    expect(messages(await plan("change/after"))).toEqual([
      expect.stringMatching(/two migrations with one number, 0001_create_order.sql and 0001_else.sql\. Delete the one/),
    ]);
  });

  test("has whole pairs", async () => {
    await plan("change/before");
    await rm(join(root, folder, "0001_create_order.sql"));
    expect(messages(await plan("change/after"))).toEqual([expect.stringContaining("Restore 0001_create_order.sql")]);
  });

  test("is completed after a run that was killed between the two of a pair", async () => {
    await plan("change/before");
    const { files } = await plan("change/after");
    await rm(join(root, files.find(({ path }) => path.endsWith(".sql"))!.path));
    expect(await plan("change/after")).toEqual({ files, findings: [] });
    expect(await plan("change/after")).toEqual({ files: [], findings: [] });
  });

  test("has snapshots that can be read", async () => {
    await plan("change/before");
    await write(`${folder}/0001_create_order.json`, "<<<<<<< HEAD\n");
    expect(messages(await plan("change/after"))).toEqual([expect.stringContaining("Restore it from version control")]);
    expect(await readFile(join(root, folder, "0001_create_order.json"), "utf8")).toBe("<<<<<<< HEAD\n");
  });
});

function line({ file, line, column, rule, message }: Diagnostic): string {
  return `${file}:${line}:${column}: ${rule}: ${message}\n`;
}

test("names longer than PostgreSQL keeps are created, and verified, as it keeps them", async () => {
  const long = "a_field_whose_name_is_longer_than_what_postgresql_keeps_of_names";
  const table = "a_table_whose_name_is_as_long_as_what_postgresql_keeps_of_names";
  await write(
    "proto/long.proto",
    `syntax = "proto3";
package notes.v1;
import "google/api/field_behavior.proto";
import "buf/validate/validate.proto";
import "scaffold/v1/options.proto";
service NoteService { option (scaffold.v1.service) = {entities: "Note" entities: "Xmin"}; }
message Note {
  option (scaffold.v1.entity) = {table: "${table}" index: {fields: "${long}"} index: {fields: "${long}" unique: true}};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  int32 ${long} = 2 [(buf.validate.field).int32.gt = 0];
  int32 ${long}_too = 3 [(scaffold.v1.field).column = "${long.slice(0, -2)}", (buf.validate.field).int32.gt = 0];
}
message Xmin {
  option (scaffold.v1.entity) = {table: "xmin"};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  string oid = 2;
}
`,
  );
  const { contract, findings } = buildContract(await compile(join(root, "proto")));
  expect(findings).toEqual([]);
  contracts.set("long", contract);
  await plan("long");
  const url = await testDatabase();
  await migrate({ url, directory: pathToFileURL(join(root, folder)) });
  const schema = snapshotOf(contract.services[0]!);
  expect(await differencesOf(schema, url)).toEqual([]);
  expect(schema.tables[0]!.columns[1]!.name).toBe(long.slice(0, 63));
  // As it was before names were cut.
  const text = JSON.stringify(schema).replaceAll(`"${long.slice(0, 63)}"`, `"${long}"`);
  expect(planMigration(JSON.parse(text), schema)).toMatchObject({ statements: [] });
});
