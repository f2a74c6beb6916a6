import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Code } from "@connectrpc/connect";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { testDatabase } from "../../../generator/testing/database.js";
import { execute } from "../../../generator/testing/tables.js";
import { migrate, verifyMigrated } from "../../service/migrations.js";
import { migrationStatus } from "./migrate.js";

let url: string;
let root: string;
let directory: URL;
beforeEach(async () => {
  url = await testDatabase();
  root = await mkdtemp(join(tmpdir(), "scaffold-migrate-"));
  directory = pathToFileURL(root);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const file = (name: string, sql: string) => writeFile(join(root, name), sql);
const create = (table: string) => `CREATE TABLE "${table}" ("id" text);\n`;
const run = () => migrate({ url, directory });
const ledger = async () =>
  (await execute(url, `SELECT "name" FROM "scaffold_migrations" ORDER BY "name"`)).rows.map(({ name }) => name);

test("applies what is missing, in order, and then nothing", async () => {
  await file("0002_b.sql", `ALTER TABLE "a" ADD COLUMN "b" text;\nALTER TABLE "a" ADD COLUMN "c" text;\n`);
  await file("0001_a.sql", create("a"));
  await file("0001_a.json", "{}");
  expect(await run()).toEqual(["0001_a.sql", "0002_b.sql"]);
  expect(await run()).toEqual([]);
  await file("0003_c.sql", create("c"));
  expect(await run()).toEqual(["0003_c.sql"]);
  await verifyMigrated({ url, directory });
});

test("goes on where a failure or a crash left off, and leaves no half of a file", async () => {
  await file("0001_a.sql", create("a"));
  await file("0002_b.sql", `${create("b")}\nCREATE TABLE nonsense (;\n`);
  await expect(run()).rejects.toThrow(/^0002_b\.sql:3: syntax error.*nothing of this file was applied/);
  expect(await ledger()).toEqual(["0001_a.sql"]);
  await file("0002_b.sql", `${create("b")}SELECT pg_terminate_backend(pg_backend_pid());\n`);
  await expect(run()).rejects.toMatchObject({ code: Code.Unavailable });
  expect(await ledger()).toEqual(["0001_a.sql"]);
  await file("0002_b.sql", create("b"));
  expect(await run()).toEqual(["0002_b.sql"]);
});

test("is done once when many processes start together", async () => {
  await file("0001_a.sql", `${create("a")}SELECT pg_sleep(0.05);\n`);
  await file("0002_b.sql", create("b"));
  const applied = await Promise.all(Array.from({ length: 5 }, run));
  expect(applied.flat()).toEqual(["0001_a.sql", "0002_b.sql"]);
});

test("applies what a merge brought in before the newest", async () => {
  await file("0002_b.sql", create("b"));
  await run();
  await file("0001_a.sql", create("a"));
  expect(await run()).toEqual(["0001_a.sql"]);
});

test("refuses a changed or a missing file, all of them, and applies nothing", async () => {
  await file("0001_a.sql", create("a"));
  await file("0002_b.sql", create("b"));
  await file("0003_c.sql", create("c").replaceAll("\n", "\r\n"));
  await run();
  await file("0001_a.sql", `${create("a")}-- changed\n`);
  await rm(join(root, "0002_b.sql"));
  await file("0003_c.sql", create("c"));
  await file("0004_d.sql", create("d"));
  const error = await run().catch((reason: unknown) => reason);
  expect((error as Error).message.split("\n")).toEqual([
    "nothing was migrated:",
    "  0001_a.sql was changed after it was applied: restore it, and put the change into a new file",
    "  0002_b.sql was applied, but is not here: run the version of the service that has it, or restore the file",
  ]);
  expect(await ledger()).not.toContain("0004_d.sql");
});

test("refuses a database that is newer than the files", async () => {
  await file("0001_a.sql", create("a"));
  await file("0002_b.sql", create("b"));
  await run();
  await rm(join(root, "0002_b.sql"));
  await expect(run()).rejects.toThrow(
    "0002_b.sql was applied, but is not here, for the database is newer: run the version",
  );
  expect((await status()).faults).toEqual([expect.stringContaining("the database is newer")]);
});

test("refuses a folder without an order", async () => {
  await file("0001_a.sql", create("a"));
  await file("0001_b.sql", create("b"));
  await file("init.sql", create("c"));
  await expect(run()).rejects.toThrow(/init\.sql: name it like.*\n.*0001_a\.sql and 0001_b\.sql have one number/);
  directory = pathToFileURL(join(root, "nowhere"));
  await expect(run()).rejects.toThrow(/no folder .*nowhere: run `scaffold generate`/);
});

test("says what a database lacks, and lets it have more", async () => {
  await file("0001_a.sql", create("a"));
  const verify = () => verifyMigrated({ url, directory });
  await expect(verify()).rejects.toThrow("the database lacks 0001_a.sql: start the service once with MIGRATE=on");
  await run();
  await file("0002_b.sql", create("b"));
  await expect(verify()).rejects.toThrow("lacks 0002_b.sql:");
  await run();
  await rm(join(root, "0002_b.sql"));
  await verify();
});

const border = "-- scaffold: outside a transaction\n";
const rows = async (sql: string) => (await execute(url, sql)).rows;
const indexes = () =>
  rows(`SELECT relname AS name, indisvalid AS valid FROM pg_index JOIN pg_class c ON c.oid = indexrelid
    WHERE relname LIKE '%_idx' ORDER BY 1`);
const status = () => migrationStatus({ url, directory });

/** Keeps a transaction open that has written to a table, which an index that is built concurrently waits for. */
async function writer(table: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`BEGIN; INSERT INTO "${table}" VALUES ('open')`);
  return { end: () => client.query("COMMIT").finally(() => client.end()) };
}

/** The server's process that waits for somebody's lock, as soon as there is one. */
async function waiting(): Promise<number> {
  for (;;) {
    const [found] = await rows(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    if (found !== undefined) return found.pid;
    await sleep(20);
  }
}

test("runs what stands below the border outside a transaction", async () => {
  await file("0001_a.sql", `${create("a")}${border}CREATE INDEX CONCURRENTLY "a_idx" ON "a" ("id");\nVACUUM "a";\n`);
  expect(await run()).toEqual(["0001_a.sql"]);
  expect(await indexes()).toEqual([{ name: "a_idx", valid: true }]);
  expect(await status()).toEqual({ applied: ["0001_a.sql"], pending: [], faults: [] });
  expect(await run()).toEqual([]);
});

test("goes on with the statement that failed, and leaves no broken index", async () => {
  const unique = `CREATE UNIQUE INDEX CONCURRENTLY "a_idx" ON "a" ("id");\n`;
  await file("0001_a.sql", `${create("a")}INSERT INTO "a" VALUES ('x'), ('x');\n${border}${unique}`);
  await expect(run()).rejects.toThrow(
    /^0001_a\.sql:4: could not create unique index.*what stands before it was applied, and the next run goes on with this/,
  );
  expect(await indexes()).toEqual([]);
  expect(await status()).toMatchObject({ applied: [], pending: [{ name: "0001_a.sql", done: 0 }] });
  await expect(verifyMigrated({ url, directory })).rejects.toThrow("lacks 0001_a.sql");
  await execute(url, `DELETE FROM "a" WHERE ctid IN (SELECT ctid FROM "a" LIMIT 1)`);
  expect(await run()).toEqual(["0001_a.sql"]);
  expect(await indexes()).toEqual([{ name: "a_idx", valid: true }]);
});

test("refuses a file that was changed when half of it was applied", async () => {
  await file("0001_a.sql", `${create("a")}${border}SELECT 1;\nSELECT 1 / 0;\n`);
  await expect(run()).rejects.toThrow("0001_a.sql:4: division by zero");
  await file("0001_a.sql", `${create("a")}${border}SELECT 1;\nSELECT 1;\n`);
  await expect(run()).rejects.toThrow("was changed when its first part and 1 of its statements");
});

test("takes a file anew of which nothing was applied", async () => {
  await file("0001_a.sql", `${border}SELECT 1 / 0;\n`);
  await expect(run()).rejects.toThrow("nothing of this file was applied");
  await file("0001_a.sql", `${border}SELECT 1;\n`);
  expect(await run()).toEqual(["0001_a.sql"]);
});

test("builds an index anew whose building was broken off", async () => {
  await file("0001_a.sql", create("a"));
  await run();
  await file("0002_i.sql", `${border}CREATE INDEX CONCURRENTLY "a_idx" ON "a" ("id");\n`);
  const open = await writer("a");
  const broken = expect(run()).rejects.toMatchObject({ code: Code.Unavailable });
  await execute(url, `SELECT pg_terminate_backend(${await waiting()})`);
  await broken;
  await open.end();
  expect(await indexes()).toEqual([{ name: "a_idx", valid: false }]);
  expect(await run()).toEqual(["0002_i.sql"]);
  expect(await indexes()).toEqual([{ name: "a_idx", valid: true }]);
});

test("goes on after a run that was killed", async () => {
  await file("0001_a.sql", create("a"));
  await run();
  const steps = [`INSERT INTO "a" VALUES ('once')`, `CREATE INDEX CONCURRENTLY "a_idx" ON "a" ("id")`, `SELECT 1`];
  await file("0002_i.sql", `${create("b")}${border}${steps.join(";\n")};\n`);
  const open = await writer("a");
  const source = new URL("../../service/migrations.ts", import.meta.url).href;
  const script = `const { migrate } = await import("${source}");
    await migrate({ url: "${url}", directory: new URL("${directory.href}") });`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", script]);
  const ended = new Promise((resolve) => child.on("exit", (_, signal) => resolve(signal)));
  await waiting();
  child.kill("SIGKILL");
  expect(await ended).toBe("SIGKILL");
  // The server goes on building; the next run waits until it is done with it.
  const next = run();
  await open.end();
  expect(await next).toEqual(["0002_i.sql"]);
  expect(await indexes()).toEqual([{ name: "a_idx", valid: true }]);
  expect(await rows(`SELECT count(*)::int AS count FROM "a" WHERE "id" = 'once'`)).toEqual([{ count: 1 }]);
});

test("waits for a lock no longer than it may, and not for ever", async () => {
  await file("0001_a.sql", create("a"));
  await run();
  await file("0002_b.sql", `ALTER TABLE "a" ADD COLUMN "b" text;\n`);
  const open = await writer("a");
  await expect(migrate({ url, directory, lockTimeoutMs: 20 })).rejects.toThrow(
    /^0002_b\.sql:1: canceling statement due to lock timeout; nothing of this file was applied; another transaction uses/,
  );
  const patient = migrate({ url, directory, lockTimeoutMs: 200 });
  await waiting();
  await open.end();
  expect(await patient).toEqual(["0002_b.sql"]);
});

test("reads a ledger of before statements outside a transaction", async () => {
  await file("0001_a.sql", create("a"));
  await run();
  await execute(url, `ALTER TABLE "scaffold_migrations" DROP COLUMN "progress"; DROP TABLE "scaffold_runtimes"`);
  expect(await status()).toMatchObject({ applied: ["0001_a.sql"], pending: [] });
  await expect(verifyMigrated({ url, directory })).rejects.toThrow("the database lacks the runtime's own tables");
  expect(await run()).toEqual([]);
  await verifyMigrated({ url, directory });
});

/** What another instance has under way: it has written to the table of sagas, and goes on to that of requests. */
async function sagaUnderWay() {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE "scaffold_sagas" IN ROW EXCLUSIVE MODE`);
  return {
    async end() {
      await client.query(`LOCK TABLE "scaffold_requests" IN ROW EXCLUSIVE MODE; COMMIT`);
      await client.end();
    },
  };
}

test("asks for no lock on the runtime's own tables when they are as they should be", async () => {
  await file("0001_a.sql", create("a"));
  await run();
  const saga = await sagaUnderWay();
  await file("0002_b.sql", create("b"));
  expect(await migrate({ url, directory, lockTimeoutMs: 1 })).toEqual(["0002_b.sql"]);
  await saga.end();
});

test("brings the runtime's own tables up to date beside instances that are at work", async () => {
  await file("0001_a.sql", create("a"));
  await run();
  await execute(url, `TRUNCATE "scaffold_runtimes"; ALTER TABLE "scaffold_sagas" DROP COLUMN "misfit"`);
  const saga = await sagaUnderWay();
  const migrated = run();
  await waiting();
  // What was altered before is not held until then.
  await saga.end();
  expect(await migrated).toEqual([]);
  await verifyMigrated({ url, directory });
  await execute(url, `SELECT "misfit" FROM "scaffold_sagas"`);
});

test("waits for a lock on the runtime's own tables no longer than it may", async () => {
  await file("0001_a.sql", create("a"));
  await run();
  await execute(url, `TRUNCATE "scaffold_runtimes"`);
  const saga = await sagaUnderWay();
  await expect(migrate({ url, directory, lockTimeoutMs: 20 })).rejects.toThrow(
    /^the runtime's own tables: canceling statement due to lock timeout; another transaction uses/,
  );
  await saga.end();
});

test("says so when there is no database", async () => {
  const nowhere = new URL(url);
  nowhere.pathname = "/nowhere";
  await expect(migrate({ url: nowhere.href, directory })).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringContaining("check DATABASE_URL"),
  });
});

test("says so when nobody listens, and when there is no such user", async () => {
  const address = new URL(url);
  address.username = "stranger";
  await expect(migrate({ url: address.href, directory })).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringContaining("refuses this service's user: check DATABASE_URL"),
  });
  address.port = "1";
  await expect(verifyMigrated({ url: address.href, directory })).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: "no database answers at 127.0.0.1:1: start it, or check DATABASE_URL",
  });
});

test("leaves the database of another service alone", async () => {
  await file("0001_a.sql", create("a"));
  await run();
  await rm(join(root, "0001_a.sql"));
  await file("0001_b.sql", create("b"));
  const other = "the database has the migrations of another service (0001_a.sql): check DATABASE_URL";
  await expect(run()).rejects.toThrow(other);
  await expect(verifyMigrated({ url, directory })).rejects.toThrow(other);
  expect((await status()).faults).toEqual([other]);
  expect(await ledger()).toEqual(["0001_a.sql"]);
  expect(await rows(`SELECT to_regclass('"b"') AS "table"`)).toEqual([{ table: null }]);
});
