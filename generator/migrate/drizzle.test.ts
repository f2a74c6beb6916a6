import { readdir } from "node:fs/promises";
import { migrate } from "@protoscaffold/runtime/codegen/tool/migrations";
import { getTableName, is } from "drizzle-orm";
import { getTableConfig, type PgColumn, PgTable } from "drizzle-orm/pg-core";
import { expect, test } from "vitest";
import { testDatabase } from "../testing/database.js";
import { execute } from "../testing/tables.js";
import { readSchema } from "./live-schema.js";

const root = new URL("../../", import.meta.url);
const services = (await readdir(new URL("generated/shop/", root))).sort();

test.each(services)("the migrations of %s make the tables that Drizzle is told of", async (service) => {
  const url = await testDatabase();
  await migrate({ url, directory: new URL(`examples/shop/${service}/migrations/`, root) });
  const live = await readSchema(url);
  const generated: Record<string, unknown> = await import(
    new URL(`generated/shop/${service}/v1/${service}_schema.ts`, root).href
  );
  const tables = Object.values(generated).filter((value): value is PgTable => is(value, PgTable));
  expect(tables.length).toBeGreaterThan(0);
  for (const table of tables) {
    const { name, columns, indexes, checks, foreignKeys } = getTableConfig(table);
    const found = live.get(name)!;
    expect(found.columns.map(({ name, type, nullable }) => ({ name, type, nullable }))).toEqual(
      columns.map((column) => ({
        name: column.name,
        type: column.getSQLType().replace(/^timestamp with time zone$/, "timestamptz"),
        nullable: !column.notNull,
      })),
    );
    expect(found.key).toEqual(columns.filter(({ primary }) => primary).map(({ name }) => name));
    expect(found.indexes.map(({ name, unique, columns }) => ({ name, unique, columns }))).toEqual(
      indexes
        .map(({ config }) => ({
          name: config.name!,
          unique: config.unique,
          columns: config.columns.map((column) => (column as PgColumn).name),
        }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
    const references = foreignKeys.map((key) => ({ key, ...key.reference() }));
    expect(found.constraints.filter(({ refersTo }) => refersTo === null).map((check) => check.name)).toEqual(
      checks.map((check) => check.name).sort(),
    );
    expect(found.constraints.filter(({ refersTo }) => refersTo !== null)).toEqual(
      references.map(({ key, columns, foreignTable }) => ({
        name: key.getName(),
        valid: true,
        definition: expect.stringMatching(/^FOREIGN KEY/),
        columns: columns.map((column) => column.name),
        refersTo: getTableName(foreignTable),
      })),
    );
    // A row without values breaks rules.
    for (const check of checks) await execute(url, `ALTER TABLE "${name}" DROP CONSTRAINT "${check.name}"`);
    // The database fills in what Drizzle says that it does.
    const key = columns.find(({ primary }) => primary)!;
    const { rows } = await execute(url, `INSERT INTO "${name}" ("${key.name}") VALUES ('zero') RETURNING *`);
    for (const column of columns.filter(({ primary }) => !primary)) {
      const value = rows[0][column.name];
      expect(value === null ? undefined : column.mapFromDriverValue(value), column.name).toEqual(column.default);
    }
  }
});
