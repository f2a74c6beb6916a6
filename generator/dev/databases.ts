import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runFolder } from "./folder.js";
import { isRunning } from "./pid.js";
import { ownerUrl } from "./postgres/owner.js";
import { readState } from "./state.js";

/** Returns the URLs of the running system's databases, by name, with their owners. Undefined: no system runs. */
export async function runningDatabases(root: string): Promise<((database: string) => string) | undefined> {
  const folder = runFolder(root);
  const server = (await readState(folder.state))?.postgres;
  if (server?.process === undefined || !(await isRunning(server.process))) return undefined;
  const password = (await readFile(join(folder.postgres, "password"), "utf8")).trim();
  const { port } = server;
  return (database) => ownerUrl({ port, password }, database);
}
