import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, open, readFile, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { end } from "./end.js";
import { identify, type ProcessIdentity } from "./pid.js";
import { freePort } from "./ports.js";
import { findBinaries } from "./postgres/binaries.js";
import { openCluster, placeOf, removeCluster, serverEnvironment } from "./postgres/cluster.js";
import { administratorUrl, createOwned, ownerUrl } from "./postgres/owner.js";
import { postmasterFile, stopLeftover, stopPostgres } from "./postgres/stop.js";
import { serverUser } from "./postgres/user.js";

export interface PostgresOptions {
  /** The folder of the data and the password. It is created if it does not exist. */
  readonly directory: string;
  /** The TCP port on 127.0.0.1. Default: a free one. */
  readonly port?: number;
  /** Whether a commit waits for the disk. Default: true. False is for data that may be lost in a crash of the machine. */
  readonly fsync?: boolean;
  /** The file that the server's log is appended to. Default: `postgres.log` in the directory. */
  readonly log?: string;
  /** Further settings of the server, by PostgreSQL's names. They override those that are set here. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** A running PostgreSQL server. */
export interface Postgres extends ProcessIdentity {
  readonly port: number;
  /** Returns the URL of a database with the administrator and password. Default: "postgres", which every server has. */
  url(database?: string): string;
  /** Creates an empty database of that name, unless it exists. */
  createDatabase(name: string): Promise<void>;
  /** Creates a database with an owner role that has no access to other databases. An existing one is given to that role. */
  createOwned(name: string): Promise<void>;
  /** Returns the URL of a database from `createOwned`, with its owner and password. */
  ownerUrl(database: string): string;
  /** Resolves when the server has ended for any reason, with that reason: "SIGKILL", or "exit code 1". */
  readonly ended: Promise<string>;
  /** Ends connections, writes everything to disk, and waits until the server has ended. */
  stop(): Promise<void>;
}

/**
 * Starts a real PostgreSQL on this machine alone: TCP on 127.0.0.1, every connection by password (SCRAM). A server that
 * an earlier process left running on the same data is stopped first.
 *
 * It runs in a session of its own, so that Ctrl-C in a terminal does not end it before its clients, and it outlives this
 * process unless it is stopped.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  await mkdir(options.directory, { recursive: true, mode: 0o711 });
  const directory = await realpath(options.directory);
  const user = await serverUser(join(directory, "data"));
  const binaries = await findBinaries(user, directory);
  const { data, password } = await openCluster(directory, binaries, user, options.fsync ?? true);
  await stopLeftover(data);

  const logPath = options.log ?? join(directory, "postgres.log");
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const log = await open(logPath, "a", 0o600);
    // An existing folder may have been open to other users.
    await log.chmod(0o600);
    const from = (await log.stat()).size;
    const child = spawn(join(binaries.bin, "postgres"), ["-D", data, ...settings(port, options)], {
      cwd: dirname(data),
      detached: true,
      env: serverEnvironment,
      stdio: ["ignore", log.fd, log.fd],
      ...user,
    });
    try {
      const gone = end(child);
      const identity = await ready(child, gone, data);
      child.unref();
      return running(identity, gone, port, password);
    } catch (error) {
      const said = (await readFile(logPath)).subarray(from).toString();
      // Another process took the free port before the server did; or a killed server is still ending, or its parent has not
      // waited for it yet.
      const passing = options.port === undefined && said.includes("could not bind");
      if ((passing || ending.test(said)) && attempt < 20) await sleep(100 * attempt);
      else throw new Error(explain((error as Error).message, said, options.port, logPath));
    } finally {
      await log.close();
    }
  }
}

/** The messages of a server that finds the files of another one that has ended. */
const ending = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/;

/** Stops the server that runs on the data in `directory`, started by any process. Returns whether there was one. */
export async function stopPostgresIn(directory: string): Promise<boolean> {
  const data = await placeOf(directory);
  return data !== undefined && (await stopLeftover(data));
}

/** Removes the data and the password in `directory`, after stopping a server that still runs on it. */
export async function removePostgres(directory: string): Promise<void> {
  await stopPostgresIn(directory);
  await removeCluster(directory);
}

/** Settings for a machine that also runs other programs. */
function settings(port: number, { fsync = true, settings: further }: PostgresOptions): string[] {
  const values = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: 200,
    max_wal_size: "256MB",
    // JIT compilation costs more than the short queries of services.
    jit: "off",
    timezone: "UTC",
    log_timezone: "UTC",
    // The log is about the server. Errors of statements go to the client only: a statement's text, its error and the error's
    // details contain values, and a service logs errors without them.
    log_min_messages: "log",
    log_min_error_statement: "panic",
    log_error_verbosity: "terse",
    ...(fsync ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
    ...further,
  };
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** Waits until the server's postmaster.pid, which pg_ctl reads too, says that it accepts connections. */
async function ready(child: ChildProcess, gone: Promise<string>, data: string): Promise<ProcessIdentity> {
  let how: string | undefined;
  gone.then((said) => {
    how = said;
  });
  for (;;) {
    const lines = await postmasterFile(data);
    // Recovery after a crash may take long: wait while the server runs.
    if (Number(lines?.[0]) === child.pid && lines?.[7]?.trim() === "ready") {
      const identity = await identify(child.pid!);
      if (identity !== undefined) return identity;
    }
    if (how !== undefined) throw new Error(`it ended with ${how}`);
    await sleep(15);
  }
}

function running(identity: ProcessIdentity, gone: Promise<string>, port: number, password: string): Postgres {
  const administrator = { port, password };
  const url = (database?: string) => administratorUrl(administrator, database);
  return {
    ...identity,
    port,
    url,
    ownerUrl: (database) => ownerUrl(administrator, database),
    createOwned: (database) => createOwned(administrator, database),
    ended: gone,
    stop: () => stopPostgres(identity),
    async createDatabase(name) {
      const client = new pg.Client({ connectionString: url() });
      await client.connect();
      try {
        const found = await client.query("select from pg_database where datname = $1", [name]);
        if (found.rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(name)}`);
      } finally {
        await client.end();
      }
    },
  };
}

function explain(why: string, said: string, port: number | undefined, log: string): string {
  if (port !== undefined && said.includes("could not bind")) {
    return `PostgreSQL cannot listen on port ${port}: another process does. Stop that one, or name another port`;
  }
  const lines = said.trim().split("\n").slice(-10).join("\n  ");
  return `PostgreSQL did not start: ${why}. The end of ${log}:\n  ${lines}`;
}
