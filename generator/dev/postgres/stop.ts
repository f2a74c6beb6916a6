import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { ended, identify, type ProcessIdentity, signal } from "../pid.js";

/** Stops the server and its connections. Kills it if it does not stop. Its data survives both. */
export async function stopPostgres(server: ProcessIdentity): Promise<void> {
  // In PostgreSQL's terms: fast shutdown, immediate shutdown (recovers at the next start), and SIGKILL.
  for (const name of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    if (!(await signal(server, name)) || (await ended(server, 10_000))) return;
  }
  throw new Error(`PostgreSQL (pid ${server.pid}) does not end`);
}

/** Stops the server of a postmaster.pid if it still runs, and removes a stale file. Returns whether a server ran. */
export async function stopLeftover(data: string): Promise<boolean> {
  const pid = Number((await postmasterFile(data))?.[0]);
  const found = pid > 0 ? await identify(pid) : undefined;
  // PostgreSQL itself handles a pid that no process has.
  if (found === undefined) return false;
  const serves = await servesData(pid, data);
  if (serves) await stopPostgres(found);
  // Another process has the pid now, for which PostgreSQL would refuse to start.
  else await rm(join(data, "postmaster.pid"), { force: true });
  return serves;
}

/** Returns whether this is a server that was started with the path of that data. */
async function servesData(pid: number, data: string): Promise<boolean> {
  if (process.platform !== "linux") return true;
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(unless("ENOENT", "ESRCH"));
  return command?.split("\0").includes(data) ?? false;
}

/** Returns the lines of postmaster.pid: the first is the pid, the second the data's folder, the eighth the server's status. */
export async function postmasterFile(data: string): Promise<string[] | undefined> {
  // Another user's server must not be stopped.
  const text = await readFile(join(data, "postmaster.pid"), "utf8").catch(unless("ENOENT", "ENOTDIR", "EACCES"));
  return text?.split("\n");
}

/** Treats these errors as "does not exist". Others, such as missing descriptors, are thrown. */
function unless(...codes: string[]): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (!codes.includes(error.code ?? "")) throw error;
    return undefined;
  };
}
