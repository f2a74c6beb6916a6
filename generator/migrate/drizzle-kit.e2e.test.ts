import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { migrate } from "@protoscaffold/runtime/codegen/tool/migrations";
import { getTableName, is } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { PgTable } from "drizzle-orm/pg-core";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildContract } from "../contract/build.js";
import { testDatabase } from "../testing/database.js";
import { compile } from "../testing/image.js";
import { execute } from "../testing/tables.js";
import { emptySchema, planMigration } from "./plan.js";
import { snapshotOf } from "./snapshot.js";

type PushSchema = (
  schema: Record<string, unknown>,
  db: unknown,
  schemas: string[],
  tables: string[],
) => Promise<{ statementsToExecute: string[] }>;

const root = new URL("../../", import.meta.url);
const services = (await readdir(new URL("generated/shop/", root))).sort();
let folder: string;
let pushSchema: PushSchema;

/** Installed for itself: it brings compilers of its own, which nothing else here needs. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scaffold-drizzle-kit-"));
  await writeFile(join(folder, "package.json"), "{}");
  const { version } = JSON.parse(await readFile(new URL("node_modules/drizzle-orm/package.json", root), "utf8"));
  const packages = ["drizzle-kit@0.31.11", `drizzle-orm@${version}`, "pg@8"];
  await promisify(execFile)("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...packages], {
    cwd: folder,
  });
  ({ pushSchema } = createRequire(join(folder, "package.json"))("drizzle-kit/api"));
  // It prints what it compares as JSON, which has no bigint: defaults such as 0n.
  Object.assign(BigInt.prototype, {
    toJSON(this: bigint) {
      return Number(this);
    },
  });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What drizzle-kit would do to a database to make it what the generated schema says. */
async function difference(url: string, schema: Record<string, unknown>): Promise<string[]> {
  const tables = Object.values(schema).filter((value): value is PgTable => is(value, PgTable));
  const pool = new pg.Pool({ connectionString: url });
  try {
    const { statementsToExecute } = await pushSchema(schema, drizzle(pool), ["public"], tables.map(getTableName));
    // The runtime's own are not the contract's.
    return statementsToExecute.filter((statement) => !statement.includes("scaffold_"));
  } finally {
    await pool.end();
  }
}

test.each(services)(
  "drizzle-kit finds no difference between the tables of %s and the generated schema",
  async (service) => {
    const url = await testDatabase();
    await migrate({ url, directory: new URL(`examples/shop/${service}/migrations/`, root) });
    const schema = await import(new URL(`generated/shop/${service}/v1/${service}_schema.ts`, root).href);
    expect(await difference(url, schema)).toEqual([]);
    const table = Object.values(schema).find((value): value is PgTable => is(value, PgTable))!;
    await execute(url, `ALTER TABLE "${getTableName(table)}" ADD COLUMN "own" text`);
    expect(await difference(url, schema)).toHaveLength(1);
  },
);

test.each(["columns", "library"])("nor where a contract has all kinds of %s", async (name) => {
  const folder = new URL(`generator/testdata/${name}/`, root);
  const { contract } = buildContract(await compile(fileURLToPath(folder)));
  const planned = planMigration(emptySchema, snapshotOf(contract.services[0]!));
  if ("refusals" in planned) throw new Error(JSON.stringify(planned.refusals));
  const url = await testDatabase();
  await execute(url, planned.statements.map(({ sql }) => sql).join(";\n"));
  const found = await difference(url, await import(new URL("expected/generated/contract_schema.ts", folder).href));
  // It prints neither bytes nor a numeric's default as the database does: migrations.test.ts looks at those.
  expect(found.filter((statement) => !/ALTER COLUMN "\w+" SET DEFAULT /.test(statement))).toEqual([]);
});
