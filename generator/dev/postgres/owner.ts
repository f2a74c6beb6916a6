import { createHash, createHmac } from "node:crypto";
import pg from "pg";

/** A server's administrator and address. */
export interface Administrator {
  readonly port: number;
  readonly password: string;
}

/** Returns the URL of a database with its owner: a role without access to other databases. */
export function ownerUrl({ port, password }: Administrator, database: string): string {
  const [role, secret] = [roleOf(database), passwordOf(password, database)].map(encodeURIComponent);
  return `postgres://${role}:${secret}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
}

/** Returns the URL of a database with the administrator. */
export function administratorUrl({ port, password }: Administrator, database = "postgres"): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
}

/** Creates a database and its owner, unless they exist. Objects of the administrator in it become the owner's. */
export async function createOwned(administrator: Administrator, database: string): Promise<void> {
  const role = pg.escapeIdentifier(roleOf(database));
  const name = pg.escapeIdentifier(database);
  await within(administratorUrl(administrator), async (client) => {
    const known = await client.query("SELECT FROM pg_roles WHERE rolname = left($1, 63)", [roleOf(database)]);
    if (known.rowCount === 0) await client.query(`CREATE ROLE ${role} LOGIN`);
    const password = pg.escapeLiteral(passwordOf(administrator.password, database));
    await client.query(`ALTER ROLE ${role} PASSWORD ${password}`);
    const found = await client.query("SELECT FROM pg_database WHERE datname = left($1, 63)", [database]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${name}`);
    await client.query(`ALTER DATABASE ${name} OWNER TO ${role}`);
    await client.query(`REVOKE ALL ON DATABASE ${name}, postgres, template1 FROM PUBLIC`);
  });
  const text = pg.escapeLiteral(roleOf(database));
  await within(administratorUrl(administrator, database), (client) =>
    client.query(handOver.replace("$role", () => text)),
  );
}

/** Returns the owner's role. Its prefix avoids the names of predefined roles. A long name is cut, with a hash. */
function roleOf(database: string): string {
  const role = `scaffold_${database}`;
  return role.length <= 63 ? role : `scaffold_${createHash("sha256").update(database).digest("hex").slice(0, 40)}`;
}

/** Derives the owner's password from the administrator's, so that it need not be stored. It reveals no other password. */
function passwordOf(administrators: string, database: string): string {
  return createHmac("sha256", administrators).update(database).digest("base64url");
}

/** Data from versions without owners belong to the administrator. Dependent objects follow their table. */
const handOver = `
DO $$
DECLARE
  owner name := left($role, 63);
  one record;
BEGIN
  FOR one IN
    SELECT format('ALTER SCHEMA %I OWNER TO %I', nspname, owner) AS command FROM pg_namespace
      WHERE nspowner = 10 AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
    UNION ALL
    SELECT format('ALTER %s %s OWNER TO %I',
        CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
        c.oid::regclass, owner)
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE relowner = 10 AND relkind IN ('r', 'p', 'v', 'm', 'S') AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i', 'e') AND relkind = 'S')
    UNION ALL
    SELECT format('ALTER ROUTINE %s OWNER TO %I', p.oid::regprocedure, owner)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
      WHERE proowner = 10 AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
    UNION ALL
    SELECT format('ALTER TYPE %s OWNER TO %I', t.oid::regtype, owner)
      FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
      WHERE typowner = 10 AND typtype IN ('e', 'd') AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
  LOOP
    EXECUTE one.command;
  END LOOP;
END $$`;

async function within(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
