import { execFile, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { identify } from "./pid.js";
import { removePostgres, startPostgres, stopPostgresIn } from "./postgres.js";

const isRoot = process.getuid?.() === 0;
const root = realpathSync(mkdtempSync(join(tmpdir(), "scaffold-postgres-")));
const directory = join(root, "postgres");
afterAll(async () => {
  await removePostgres(directory);
  rmSync(root, { recursive: true, force: true });
});

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  // The server may end before it does.
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

describe("the embedded PostgreSQL", () => {
  test("starts where the path is closed to others, keeps its data, and asks for the password", async () => {
    // mkdtemp makes folders that only their owner may pass.
    const first = await startPostgres({ directory, fsync: false });
    await first.createDatabase("orders");
    await first.createDatabase("orders");
    await query(first.url("orders"), "create table t as select 1 as a");
    expect(lstatSync(join(directory, "password")).mode & 0o777).toBe(0o600);
    if (isRoot) {
      const place = readlinkSync(join(directory, "data"));
      expect(place).toMatch(/^\/var\/tmp\/protoscaffold-[0-9a-f]{16}\/data$/);
      expect(lstatSync(dirname(place))).toMatchObject({ uid: 0, mode: 0o40711 });
      expect(lstatSync(place)).toMatchObject({ uid: 65534, mode: 0o40700 });
    }
    await expect(query(first.url().replace(/:[^:@]+@/, ":guess@"), "select 1")).rejects.toThrow(
      "password authentication failed",
    );
    await first.stop();
    expect(await first.ended).toBe("exit code 0");
    const second = await startPostgres({ directory, fsync: false });
    expect(await query(second.url("orders"), "select a from t")).toEqual([{ a: 1 }]);
    await second.stop();
  });

  test("writes no value of a statement into its log, which only its owner reads", async () => {
    const log = join(root, "values.log");
    writeFileSync(log, "", { mode: 0o644 });
    const server = await startPostgres({ directory, fsync: false, log });
    await server.createDatabase("values");
    const ask = (text: string) => query(server.url("values"), text);
    await ask("create table secrets (name text primary key, size integer not null check (size > 0), note text)");
    const failing = [
      "insert into secrets values ('secret-1', 1, ''), ('secret-1', 2, '')",
      "insert into secrets values ('secret-2', null, 'secret-3')",
      "insert into secrets values ('secret-4', -7, 'secret-5')",
      "insert into secrets values ('secret-6', 'secret-7'::integer)",
      "do $$ begin raise exception 'secret-8'; end $$",
      "do $$ begin raise warning 'secret-9'; end $$; select 'secret-10' from nowhere",
    ];
    for (const text of failing) await expect(ask(text), text).rejects.toThrow();
    const client = new pg.Client({ connectionString: server.url("values") });
    await client.connect();
    await expect(client.query("select $1::integer", ["secret-11"])).rejects.toThrow();
    await client.end();
    await server.stop();
    const said = readFileSync(log, "utf8");
    expect(said).toContain("ready to accept connections");
    expect(said).not.toContain("secret");
    expect(lstatSync(log).mode & 0o777).toBe(0o600);
  });

  test("takes over from a server that still runs, and from one that was killed", async () => {
    const left = await startPostgres({ directory, fsync: false });
    const next = await startPostgres({ directory, fsync: false });
    expect(await left.ended).toBe("exit code 0");
    process.kill(next.pid, "SIGKILL");
    expect(await next.ended).toBe("SIGKILL");
    const last = await startPostgres({ directory, fsync: false });
    expect(await query(last.url("orders"), "select a from t")).toEqual([{ a: 1 }]);
    expect(await stopPostgresIn(directory)).toBe(true);
    expect(await stopPostgresIn(directory)).toBe(false);
  });

  test("is not put off by another process with the pid of an earlier server, and leaves that alone", async () => {
    const data = realpathSync(join(directory, "data"));
    const owner = lstatSync(data);
    // Of the same user, whose processes PostgreSQL takes for its own.
    const stranger = spawn("/bin/sleep", ["1000"], isRoot ? { uid: owner.uid, gid: owner.gid } : {});
    onTestFinished(() => void stranger.kill());
    writeFileSync(join(data, "postmaster.pid"), `${stranger.pid}\n${data}\n1\n1\n\n127.0.0.1\n\nready\n`);
    if (isRoot) chownSync(join(data, "postmaster.pid"), owner.uid, owner.gid);
    const server = await startPostgres({ directory, fsync: false });
    await server.stop();
    expect(await identify(stranger.pid!)).toBeDefined();
  });

  test("names a port that is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void other.close());
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as AddressInfo;
    await expect(startPostgres({ directory, port, fsync: false })).rejects.toThrow(
      `PostgreSQL cannot listen on port ${port}: another process does`,
    );
  });

  test("refuses data of another version, and names the way out", async () => {
    const file = join(realpathSync(join(directory, "data")), "PG_VERSION");
    const version = readFileSync(file, "utf8");
    onTestFinished(() => writeFileSync(file, version));
    writeFileSync(file, "15\n");
    await expect(startPostgres({ directory, fsync: false })).rejects.toThrow(
      /The data in .* is PostgreSQL 15's, and this is PostgreSQL 18\. .*\(scaffold dev --reset\)/,
    );
  });

  test("refuses data without its password", async () => {
    const file = join(directory, "password");
    const password = readFileSync(file, "utf8");
    onTestFinished(() => writeFileSync(file, password, { mode: 0o600 }));
    rmSync(file);
    await expect(startPostgres({ directory, fsync: false })).rejects.toThrow(
      /password is missing\. If it cannot be brought back, forget the data \(scaffold dev --reset\)/,
    );
  });
});

describe("making the data", () => {
  test("begins anew after an initdb that was killed half-way, here as an ordinary user or on an open path", async () => {
    const open = realpathSync(mkdtempSync(join(tmpdir(), "scaffold-postgres-")));
    const directory = join(open, "postgres");
    onTestFinished(async () => {
      await removePostgres(directory);
      rmSync(open, { recursive: true });
    });
    chmodSync(open, 0o755);
    mkdirSync(join(directory, "data-part", "base"), { recursive: true, mode: 0o711 });
    writeFileSync(join(directory, "data-part", "PG_VERSION"), "18\n");
    writeFileSync(join(directory, "password-part"), "half");
    const server = await startPostgres({ directory, fsync: false });
    expect(await query(server.url(), "select 1 as one")).toEqual([{ one: 1 }]);
    await server.stop();
    expect(readdirSync(directory).sort()).toEqual(["data", "password", "postgres.log"]);
    expect(lstatSync(join(directory, "data")).isDirectory()).toBe(true);
  });

  test.runIf(isRoot)("refuses a folder below /var/tmp that is not root's own", async () => {
    const closed = realpathSync(mkdtempSync(join(tmpdir(), "scaffold-postgres-")));
    const { sharedName } = await import("./postgres/shared-folder.js");
    const squatted = join("/var/tmp", sharedName(join(closed, "postgres")));
    mkdirSync(squatted);
    chownSync(squatted, 65534, 65534);
    onTestFinished(() => {
      rmSync(squatted, { recursive: true });
      rmSync(closed, { recursive: true });
    });
    await expect(startPostgres({ directory: join(closed, "postgres"), fsync: false })).rejects.toThrow(
      `${squatted} is not root's own folder, so it is not safe to use. Remove it, and start again`,
    );
  });

  test.runIf(isRoot)("works for an ordinary user, who must have a name", async () => {
    const home = realpathSync(mkdtempSync(join(tmpdir(), "scaffold-postgres-")));
    onTestFinished(() => rmSync(home, { recursive: true }));
    const program = join(home, "start.mjs");
    const postgres = JSON.stringify(fileURLToPath(new URL("./postgres.ts", import.meta.url)));
    writeFileSync(
      program,
      `const { startPostgres } = await import(${postgres});
       const server = await startPostgres({ directory: ${JSON.stringify(join(home, "postgres"))}, fsync: false });
       await server.createDatabase("orders");
       await server.stop();
       console.log(await server.ended);`,
    );
    const runAs = (id: number) => {
      chownSync(home, id, id);
      rmSync(join(home, "postgres"), { recursive: true, force: true });
      const options = { uid: id, gid: id, cwd: home, env: { PATH: process.env.PATH, HOME: home, TMPDIR: home } };
      return promisify(execFile)(process.execPath, ["--import", import.meta.resolve("tsx"), program], options);
    };
    await expect(runAs(12345)).rejects.toThrow(
      "wants its user to have a name: add one for that ID to /etc/passwd, or start as another user; root will do",
    );
    expect((await runAs(65534)).stdout).toBe("exit code 0\n");
    expect(lstatSync(join(home, "postgres", "data"))).toMatchObject({ uid: 65534, mode: 0o40700 });
    expect(lstatSync(join(home, "postgres", "password")).mode & 0o777).toBe(0o600);
  });
});
