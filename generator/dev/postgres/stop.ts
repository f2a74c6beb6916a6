import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { ended, identify, type ProcessIdentity, signal } from "../pid.js";

/** Asks the server to end its connections and itself; one that does not is made to. Its data survives either. */
export async function stopPostgres(server: ProcessIdentity): Promise<void> {
  // PostgreSQL's words: fast shutdown, immediate shutdown (recovers at the next start), and no word at all.
  for (const name of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    if (!(await signal(server, name)) || (await ended(server, 10_000))) return;
  }
  throw new Error(`PostgreSQL (pid ${server.pid}) does not end`);
}

/** Deals with the postmaster.pid that a server left or still holds. Answers whether one still ran. */
export async function stopLeftover(data: string): Promise<boolean> {
  const pid = Number((await postmasterFile(data))?.[0]);
  const found = pid > 0 ? await identify(pid) : undefined;
  // Of a pid that nobody has, PostgreSQL thinks well enough itself.
  if (found === undefined) return false;
  const serves = await servesData(pid, data);
  if (serves) await stopPostgres(found);
  // The pid is another process's by now, for which PostgreSQL would refuse to start.
  else await rm(join(data, "postmaster.pid"), { force: true });
  return serves;
}

/** Whether this is a server that was started with the path of that data. */
async function servesData(pid: number, data: string): Promise<boolean> {
  if (process.platform !== "linux") return true;
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(unless("ENOENT", "ESRCH"));
  return command?.split("\0").includes(data) ?? false;
}

/** The lines of postmaster.pid: first the pid, then the data's folder; the eighth is how the server is. */
export async function postmasterFile(data: string): Promise<string[] | undefined> {
  // What is another user's is not ours to stop.
  const text = await readFile(join(data, "postmaster.pid"), "utf8").catch(unless("ENOENT", "ENOTDIR", "EACCES"));
  return text?.split("\n");
}

/** Takes these errors for "it is not there". Any other, such as one for want of descriptors, says nothing of that. */
function unless(...codes: string[]): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (!codes.includes(error.code ?? "")) throw error;
    return undefined;
  };
}
