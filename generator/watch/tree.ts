import { type FSWatcher, readdirSync, watch } from "node:fs";
import { join } from "node:path";

export interface Watcher {
  close(): void;
}

/** The time in milliseconds within which changes count as one: editors write a file in several steps, and git many files. */
const QUIET_MS = 80;

/**
 * Calls `changed` with the paths of files that were written, renamed or removed, once no more changes follow. Each folder has its
 * own watcher: it notices a file that replaces another, and folders outside of the selection cost nothing. Paths are relative
 * to `root`, with forward slashes.
 *
 * @param enter returns whether to watch a folder
 */
export function watchTree(
  root: string,
  enter: (folder: string) => boolean,
  changed: (paths: ReadonlySet<string>) => void,
): Watcher {
  const watchers = new Map<string, FSWatcher>();
  const paths = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const report = (path: string) => {
    paths.add(path);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const seen = new Set(paths);
      paths.clear();
      changed(seen);
    }, QUIET_MS);
  };
  const leave = (folder: string) => {
    for (const [path, watcher] of watchers) {
      if (path !== folder && !path.startsWith(`${folder}/`)) continue;
      watcher.close();
      watchers.delete(path);
    }
  };
  /** Watches a folder, recursively. The files in a new folder count as changed. */
  const scan = (folder: string, isNew: boolean) => {
    try {
      // Start the watcher before reading the folder: a change between is seen twice rather than missed.
      const watcher = watch(join(root, folder), (kind, name) => {
        if (name === null) return report(folder);
        const path = folder === "" ? String(name) : `${folder}/${name}`;
        if (kind === "rename") {
          leave(path);
          if (enter(path)) scan(path, true);
        }
        report(path);
      });
      watcher.on("error", () => leave(folder));
      watchers.set(folder, watcher);
      for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
        const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
        if (!entry.isDirectory()) {
          if (isNew) report(path);
        } else if (enter(path)) scan(path, isNew);
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The path is not a folder, or was removed.
      if (code === "ENOENT" || code === "ENOTDIR") return leave(folder);
      if (code !== "ENOSPC" && code !== "EMFILE") throw error;
      throw new Error(
        `the limit of watched folders is reached (${code}). Raise it: sudo sysctl fs.inotify.max_user_watches=524288`,
      );
    }
  };
  scan("", false);
  return {
    close() {
      clearTimeout(timer);
      leave("");
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}
