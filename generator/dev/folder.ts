import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

/**
 * The folder with the state of the running system: `.scaffold` in the project's root, which git ignores, or the folder that
 * SCAFFOLD_STATE names, so that two systems of one project can run side by side.
 */
export interface RunFolder {
  readonly path: string;
  /** The running processes: see RunState. */
  readonly state: string;
  /** The lock that the supervisor holds while it runs. */
  readonly lock: string;
  readonly postgres: string;
  /** The programs that `dev` built, separate from those of `build`, so that a build does not replace running programs. */
  readonly programs: string;
  /** Exists once the database has its sample data. It is beside the data, and is removed with it. */
  readonly sampled: string;
  /** A service's deferred writes. They are beside the data, because they belong to this database only. */
  journal(service: string): string;
  log(name: string): string;
}

export function runFolder(root: string, state = process.env.SCAFFOLD_STATE || ".scaffold"): RunFolder {
  const path = resolve(root, state);
  return {
    path,
    state: join(path, "run.json"),
    lock: join(path, "run.lock"),
    postgres: join(path, "postgres"),
    programs: join(path, "programs"),
    sampled: join(path, "postgres", "sampled"),
    journal: (service) => join(path, "postgres", "journals", service),
    log: (name) => join(path, "logs", `${name}.log`),
  };
}

/** As root, PostgreSQL runs as another user, who must reach its data but need not read the folders above. */
export function runFolderMode(): number {
  return process.getuid?.() === 0 ? 0o711 : 0o700;
}

/**
 * Creates the folder if it does not exist, with access for its owner only, independent of the umask: it contains passwords, logs,
 * writes of callers, and programs that may include secrets of the project.
 */
export async function makeRunFolder(folder: RunFolder): Promise<void> {
  const mode = runFolderMode();
  const closed = [join(folder.path, "logs"), folder.programs];
  try {
    const made = await mkdir(folder.path, { recursive: true, mode });
    // An existing folder that SCAFFOLD_STATE names may have other uses, too.
    if (made !== undefined || !process.env.SCAFFOLD_STATE) await close(folder.path, mode);
    for (const path of closed) {
      await mkdir(path, { recursive: true, mode: 0o700 });
      await close(path, 0o700);
    }
    await writeFile(join(folder.path, ".gitignore"), "*\n", { mode: 0o600 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EPERM" && code !== "EROFS") throw error;
    throw new Error(
      `${folder.path} cannot be written to (${code}). If another user made it, such as root by sudo, ` +
        "start as that user, or remove it: sudo rm -rf .scaffold",
    );
  }
}

/** Sets a folder's mode, which may differ because of an earlier version or the umask. A folder of another user stays as it is. */
async function close(path: string, mode: number): Promise<void> {
  await chmod(path, mode).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EPERM") throw error;
  });
}
