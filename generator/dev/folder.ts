import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

/**
 * Where a project keeps what belongs to the system that runs in it: `.scaffold` in its root, which git does not see, or
 * the folder that SCAFFOLD_STATE names, so that two systems of one project can run side by side.
 */
export interface RunFolder {
  readonly path: string;
  /** What runs: see RunState. */
  readonly state: string;
  /** Held by the supervisor as long as it lives. */
  readonly lock: string;
  readonly postgres: string;
  /** What `dev` built: apart from what `build` did, so that nothing that runs is pulled away under it. */
  readonly programs: string;
  /** There, once the database has its sample data. It lies with the data, so that it is forgotten with it. */
  readonly sampled: string;
  /** A service's deferred writes. They lie with the data, too: no other database may ever get them. */
  journal(service: string): string;
  log(name: string): string;
}

export function runFolder(root: string): RunFolder {
  const path = resolve(root, process.env.SCAFFOLD_STATE || ".scaffold");
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

/** As root, PostgreSQL runs as another user, who must get to its data but need see nothing on the way. */
export function runFolderMode(): number {
  return process.getuid?.() === 0 ? 0o711 : 0o700;
}

/**
 * Makes the folder, if it is not there, and closes it to other users, whatever the user's mask says: it holds passwords, logs and
 * writes of callers, and programs in which what the project keeps to itself may stand.
 */
export async function makeRunFolder(folder: RunFolder): Promise<void> {
  const mode = runFolderMode();
  const closed = [join(folder.path, "logs"), folder.programs];
  try {
    const made = await mkdir(folder.path, { recursive: true, mode });
    // A folder that SCAFFOLD_STATE names and that was there before may be for other things, too.
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

/** Sets a folder's mode, which an earlier version or the user's mask made otherwise. What is another's stays as it is. */
async function close(path: string, mode: number): Promise<void> {
  await chmod(path, mode).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EPERM") throw error;
  });
}
