import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removePostgres, startPostgres } from "../../../generator/dev/postgres.js";
import { openPostgres } from "../postgres.js";
import type { Engine } from "./broker-suite.js";

/** A PostgreSQL of its own, to be killed. */
export async function postgresEngine(): Promise<Engine & { url: string }> {
  const root = await mkdtemp(join(tmpdir(), "scaffold-broker-"));
  // PostgreSQL runs as another user when this is root.
  await chmod(root, 0o711);
  const directory = join(root, "postgres");
  // Without fsync, but with all else that keeps commits: what is killed here are servers, not the machine.
  const settings = { synchronous_commit: "on", full_page_writes: "on" };
  let server = await startPostgres({ directory, fsync: false, settings });
  const { port } = server;
  const url = server.url();
  return {
    url,
    open: async () => openPostgres(url, { service: "test" }),
    async kill() {
      process.kill(server.pid, "SIGKILL");
      await server.ended;
    },
    async restart() {
      server = await startPostgres({ directory, port, fsync: false, settings });
    },
    async close() {
      await server.stop();
      await removePostgres(directory);
    },
  };
}
