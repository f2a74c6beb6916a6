import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startReplica } from "../dev/postgres/replica.js";
import { type Postgres, removePostgres, startPostgres } from "../dev/postgres.js";
import { execute } from "./tables.js";

/** A PostgreSQL with a streaming replica, for tests of what happens when one of them is gone. */
export interface Replicated {
  readonly primary: Postgres;
  readonly replica: Postgres;
  /** Ends the primary as a power cut does. */
  kill(): Promise<void>;
  /** Has the primary say nothing, and close nothing, until `thaw`. Only on Linux. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Starts the primary's data again, as it was, on its port: it takes itself for a primary still. */
  revive(): Promise<Postgres>;
  /** Makes the replica take writes; ends when it does. */
  promote(): Promise<void>;
  /** Has the replica show nothing of what is written from now on, until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends when the replica shows all that was written until now. */
  caughtUp(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Starts both.
 *
 * @param options.synchronous whether the primary says that something is committed only when the replica has it
 */
export async function startReplicated({ synchronous = false } = {}): Promise<Replicated> {
  const root = await mkdtemp(join(tmpdir(), "scaffold-replicated-"));
  // PostgreSQL runs as another user when this is root.
  await chmod(root, 0o711);
  const directory = join(root, "primary");
  // Without fsync, but with all else that keeps commits: what is killed here are servers, not the machine.
  const settings = { synchronous_commit: "on", full_page_writes: "on" };
  const primary = await startPostgres({ directory, fsync: false, settings });
  const of = { server: primary, directory };
  const replica = await startReplica({
    of,
    name: "replica",
    directory: join(root, "replica"),
    fsync: false,
    settings,
  });
  const one = async (url: string, sql: string) => (await execute(url, sql)).rows[0] as Record<string, unknown>;
  const until = async (url: string, sql: string) => {
    while ((await one(url, `SELECT coalesce((${sql}), false) AS "so"`)).so !== true) await sleep(20);
  };
  const state = synchronous ? "sync" : "async";
  if (synchronous) {
    await execute(primary.url(), "ALTER SYSTEM SET synchronous_standby_names = 'replica'");
    await execute(primary.url(), "SELECT pg_reload_conf()");
  }
  await until(
    primary.url(),
    `SELECT state = 'streaming' AND sync_state = '${state}' FROM pg_stat_replication WHERE application_name = 'replica'`,
  );
  let revived: Postgres | undefined;
  const signalAll = async (name: NodeJS.Signals) => {
    // The postmaster first, so that no process is started meanwhile.
    for (const pid of [primary.pid, ...(await childrenOf(primary.pid))]) process.kill(pid, name);
  };
  return {
    primary,
    replica,
    async kill() {
      process.kill(primary.pid, "SIGKILL");
      await primary.ended;
    },
    freeze: () => signalAll("SIGSTOP"),
    thaw: () => signalAll("SIGCONT"),
    async revive() {
      revived = await startPostgres({ directory, port: primary.port, fsync: false, settings });
      return revived;
    },
    async promote() {
      await execute(replica.url(), "SELECT pg_promote(true, 60)");
      await until(replica.url(), "SELECT NOT pg_is_in_recovery()");
    },
    async pause() {
      await execute(replica.url(), "SELECT pg_wal_replay_pause()");
      await until(replica.url(), "SELECT pg_get_wal_replay_pause_state() = 'paused'");
    },
    async resume() {
      await execute(replica.url(), "SELECT pg_wal_replay_resume()");
    },
    async caughtUp() {
      const { lsn } = await one(primary.url(), "SELECT pg_current_wal_lsn()::text AS lsn");
      await until(replica.url(), `SELECT pg_last_wal_replay_lsn() >= '${lsn}'::pg_lsn`);
    },
    async remove() {
      await Promise.all([revived?.stop(), primary.stop(), replica.stop()]);
      for (const name of ["primary", "replica"]) await removePostgres(join(root, name));
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** The processes that a process has started, on Linux. */
async function childrenOf(pid: number): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(
    pids.map((child) =>
      readFile(`/proc/${child}/stat`, "utf8").then(
        (text) => /\) \S (\d+)/.exec(text)?.[1],
        () => "",
      ),
    ),
  );
  return pids.filter((_, index) => Number(parents[index]) === pid).map(Number);
}
