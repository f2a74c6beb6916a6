import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Binaries } from "./binaries.js";
import { sharedFolder, sharedName } from "./shared-folder.js";
import { stopLeftover } from "./stop.js";
import { closedFolder, type User } from "./user.js";

/** A server's data, and the password of its user "postgres". */
export interface Cluster {
  readonly data: string;
  readonly password: string;
}

/**
 * Returns the data in `directory`, and creates it if there is none: `directory/data`, and `directory/password`, which only its
 * owner can read. If `user` cannot get there, `data` is a link to a folder below /var/tmp.
 */
export async function openCluster(
  directory: string,
  binaries: Binaries,
  user: User | undefined,
  sync: boolean,
): Promise<Cluster> {
  const data = join(directory, "data");
  const password = join(directory, "password");
  if ((await lstat(data).catch(() => undefined)) === undefined) {
    await initialize(directory, await homeOf(directory, user), binaries, user, sync);
  }
  await checkVersion(data, binaries.version);
  const place = (await placeOf(directory)) ?? data;
  const closed = user && (await closedFolder(dirname(place), user));
  if (closed !== undefined) {
    throw new Error(
      `PostgreSQL cannot run as root, and the user it runs as cannot reach its data: ${closed} is closed to others. ` +
        `Open it (chmod o+x ${closed}), or forget the data (scaffold dev --reset)`,
    );
  }
  return { data: place, password: await readPassword(password) };
}

/** Returns the real path of the data in `directory`, with which the server is started. Undefined: there is none. */
export function placeOf(directory: string): Promise<string | undefined> {
  return realpath(join(directory, "data")).catch((error: NodeJS.ErrnoException) => {
    // Only ENOENT: otherwise a server could keep running on data that is then removed.
    if (error.code !== "ENOENT" && error.code !== "ENOTDIR" && error.code !== "EACCES") throw error;
    return undefined;
  });
}

/** Removes the data. No server may run on it. */
export async function removeCluster(directory: string): Promise<void> {
  const link = await readlink(join(directory, "data")).catch(() => undefined);
  if (link !== undefined) await rm(dirname(link), { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
}

/** Returns the folder in which the data is created. */
async function homeOf(directory: string, user: User | undefined): Promise<string> {
  if (user === undefined || (await closedFolder(directory, user)) === undefined) return directory;
  return sharedFolder(sharedName(directory));
}

/**
 * Runs initdb atomically: in a folder with a temporary name, which is renamed at the end. Removes the folders of killed runs, and
 * data below /var/tmp without a link to it.
 */
async function initialize(
  directory: string,
  home: string,
  { bin }: Binaries,
  user: User | undefined,
  sync: boolean,
): Promise<void> {
  const part = join(home, "data-part");
  const words = join(home, "password-part");
  const password = randomBytes(24).toString("base64url");
  await rm(part, { recursive: true, force: true });
  await rm(words, { force: true });
  if (home !== directory) {
    await stopLeftover(join(home, "data"));
    await rm(join(home, "data"), { recursive: true, force: true });
  }
  await mkdir(part, { mode: 0o700 });
  await writeFile(words, password, { mode: 0o600, flag: "wx" });
  if (user) await Promise.all([chown(part, user.uid, user.gid), chown(words, user.uid, user.gid)]);
  const options = [`--pgdata=${part}`, "--username=postgres", `--pwfile=${words}`, "--auth=scram-sha-256"];
  // The same collation on every machine: by code point, with Unicode's upper and lower case.
  options.push("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8");
  if (!sync) options.push("--no-sync");
  try {
    await promisify(execFile)(join(bin, "initdb"), options, { cwd: home, env: serverEnvironment, ...user });
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    const wayOut = stderr.includes("could not look up effective user")
      ? "\nPostgreSQL wants its user to have a name: add one for that ID to /etc/passwd, or start as another user; root will do"
      : "";
    throw new Error(`PostgreSQL's data could not be made in ${home}:\n${stderr.trim() || message}${wayOut}`);
  } finally {
    await rm(words, { force: true });
  }
  await writeFile(join(directory, "password"), password, { mode: 0o600 });
  await chmod(join(directory, "password"), 0o600);
  await rename(part, join(home, "data"));
  if (home !== directory) await symlink(join(home, "data"), join(directory, "data"));
}

/** The environment of the server's programs: empty, because PGPORT and the like are for other programs. */
export const serverEnvironment = { LC_ALL: "C", TZ: "UTC", PATH: "/usr/bin:/bin" };

async function checkVersion(data: string, version: string): Promise<void> {
  const found = (await readFile(join(data, "PG_VERSION"), "utf8").catch(explain(data))).trim();
  const major = version.split(".")[0]!;
  if (found !== major) {
    throw new Error(
      `The data in ${data} is PostgreSQL ${found}'s, and this is PostgreSQL ${major}. ` +
        `Start with the version of the tool that made it, or forget the data (scaffold dev --reset)`,
    );
  }
}

async function readPassword(path: string): Promise<string> {
  return readFile(path, "utf8").catch(explain(path));
}

function explain(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const why = error.code === "ENOENT" ? "is missing" : `cannot be read (${error.code})`;
    const whose = error.code === "EACCES" ? " Start as the user whose it is, or" : " If it cannot be brought back,";
    throw new Error(`${path} ${why}.${whose} forget the data (scaffold dev --reset)`);
  };
}
