import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { execute } from "../../testing/tables.js";
import { type Postgres, removePostgres, startPostgres } from "../postgres.js";

const directory = join(mkdtempSync(join(tmpdir(), "scaffold-owner-")), "postgres");
let server: Postgres;

beforeAll(async () => {
  server = await startPostgres({ directory, fsync: false });
});
afterAll(async () => {
  await server.stop();
  await removePostgres(directory);
  rmSync(join(directory, ".."), { recursive: true, force: true });
});

test("each database is its own role's, which is no superuser and gets into no other database", async () => {
  // Some names are a role's, or a keyword, or need quotes.
  const names = ["orders", "postgres-v2", "user", "pg_events", `o"d'd`];
  for (const name of names) await server.createOwned(name);
  for (const name of names) {
    const url = server.ownerUrl(name);
    await execute(url, "CREATE TABLE kept AS SELECT 1 AS one");
    const { rows } = await execute(
      url,
      "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication AS may FROM pg_roles WHERE rolname = current_user",
    );
    expect(rows).toEqual([{ may: false }]);
    for (const other of [...names, "postgres", "template1"]) {
      const elsewhere = new URL(url);
      elsewhere.pathname = `/${encodeURIComponent(other)}`;
      const work = execute(elsewhere.href, "SELECT 1");
      if (other === name) await work;
      else await expect(work).rejects.toThrow("permission denied for database");
    }
  }
  expect(new Set(names.map((name) => new URL(server.ownerUrl(name)).password)).size).toBe(names.length);
  await expect(execute(server.ownerUrl("orders"), "SELECT pg_read_file('/etc/passwd')")).rejects.toThrow(
    "permission denied",
  );
});

test("a database from before is given to its owner with all that is in it, and once more changes nothing", async () => {
  await server.createDatabase("old");
  await execute(
    server.url("old"),
    `CREATE TYPE color AS ENUM ('red');
     CREATE DOMAIN few AS integer CHECK (VALUE < 10);
     CREATE TABLE things (id serial PRIMARY KEY, n integer GENERATED ALWAYS AS IDENTITY, c color, f few);
     CREATE TABLE parts (thing integer REFERENCES things, at date) PARTITION BY RANGE (at);
     CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
     CREATE SEQUENCE apart;
     CREATE SCHEMA more;
     CREATE TABLE more.rows AS SELECT 1 AS one;
     CREATE VIEW seen AS SELECT * FROM things;
     CREATE MATERIALIZED VIEW kept AS SELECT * FROM things;
     CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1';
     INSERT INTO things (c) VALUES ('red')`,
  );
  for (let round = 0; round < 2; round++) {
    await server.createOwned("old");
    await execute(
      server.ownerUrl("old"),
      `ALTER TABLE things ADD COLUMN round${round} integer; INSERT INTO things (c, f) VALUES ('red', 3);
       INSERT INTO parts SELECT id, now() FROM things; SELECT nextval('apart'), one();
       ALTER TYPE color ADD VALUE 'blue${round}'; REFRESH MATERIALIZED VIEW kept;
       ALTER TABLE more.rows ADD COLUMN two${round} integer; CREATE OR REPLACE VIEW seen AS SELECT * FROM things`,
    );
  }
  const { rows } = await execute(
    server.url("old"),
    "SELECT relname FROM pg_class WHERE relowner = 10 AND oid >= 16384",
  );
  expect(rows).toEqual([]);
});
