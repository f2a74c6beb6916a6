import { execFile } from "node:child_process";
import { mkdir, readdir, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { type Postgres, type PostgresOptions, startPostgres } from "../postgres.js";
import { placeOf } from "./cluster.js";
import { serverUser } from "./user.js";

export interface ReplicaOptions extends PostgresOptions {
  /** The primary, and the directory in which it was started. */
  readonly of: { readonly server: Postgres; readonly directory: string };
  /** Its application_name: in synchronous_standby_names, and in pg_stat_replication. */
  readonly name: string;
}

/** Files that are not copied: they belong to the running server, or are replicated. */
const left = new Set(["pg_wal", "pg_replslot", "postmaster.pid", "postmaster.opts"]);

/**
 * Starts a streaming replica of a server on this machine, in a directory of its own. The programs at hand have no
 * pg_basebackup, so the data is copied between pg_backup_start and pg_backup_stop, as PostgreSQL's manual has it
 * ("Making a Base Backup Using the Low Level API"); a replication slot keeps what is written meanwhile.
 */
export async function startReplica({ of, name, ...options }: ReplicaOptions): Promise<Postgres> {
  const source = await placeOf(of.directory);
  if (source === undefined) throw new Error(`${of.directory} holds no data of PostgreSQL`);
  await mkdir(options.directory, { recursive: true, mode: 0o711 });
  const directory = await realpath(options.directory);
  const data = join(directory, "data");
  const client = new pg.Client({ connectionString: of.server.url() });
  await client.connect();
  try {
    await client.query("SELECT pg_create_physical_replication_slot($1, true)", [name]);
    await client.query("SELECT pg_backup_start($1, true)", [name]);
    await mkdir(data, { mode: 0o700 });
    for (const entry of await readdir(source)) {
      if (!left.has(entry)) await copy(join(source, entry), data);
    }
    for (const folder of ["pg_wal", "pg_replslot"]) await mkdir(join(data, folder), { mode: 0o700 });
    const { rows } = await client.query("SELECT labelfile FROM pg_backup_stop(false)");
    await writeFile(join(data, "backup_label"), rows[0].labelfile);
  } finally {
    await client.end();
  }
  await writeFile(join(data, "standby.signal"), "");
  await promisify(execFile)("cp", ["-p", join(of.directory, "password"), directory]);
  // The server's user must own all files created here.
  const user = await serverUser(source);
  if (user !== undefined) await promisify(execFile)("chown", ["-R", `${user.uid}:${user.gid}`, data]);
  const primary = new URL(of.server.url());
  return startPostgres({
    ...options,
    settings: {
      primary_conninfo: `host=127.0.0.1 port=${of.server.port} user=postgres password=${primary.password} application_name=${name}`,
      primary_slot_name: name,
      // The interval of reconnections to a lost primary, after which it can also be promoted.
      wal_retrieve_retry_interval: "200ms",
      ...options.settings,
    },
  });
}

/** Ignores files that appear and disappear while the server runs: their content is in the WAL. */
async function copy(path: string, to: string): Promise<void> {
  await promisify(execFile)("cp", ["-a", path, to]).catch((error: Error & { stderr?: string }) => {
    const lines = error.stderr?.trim().split("\n") ?? [];
    if (lines.length === 0 || !lines.every((line) => line.includes("No such file or directory"))) throw error;
  });
}
