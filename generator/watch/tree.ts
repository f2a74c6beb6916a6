import { type FSWatcher, readdirSync, watch } from "node:fs";
import { join } from "node:path";

export interface Watcher {
  close(): void;
}

/** Editors write a file in several steps, and version control many files: what comes this close together is one change. */
const QUIET_MS = 80;

/**
 * Calls `changed` with the paths of files that were written, renamed or removed, once it is quiet again. Each folder is
 * watched by itself, so that a file which is replaced by another under its name is seen, and what lies in folders that
 * nobody asked for costs nothing. Paths are relative to `root`, with forward slashes.
 *
 * @param enter whether to look into a folder
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
  /** Watches a folder and those inside. What is in it when it appears has changed. */
  const scan = (folder: string, isNew: boolean) => {
    try {
      // First the watcher, then the look: what comes between is seen twice, not missed.
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
      // It was no folder, or is none any more.
      if (code === "ENOENT" || code === "ENOTDIR") return leave(folder);
      if (code !== "ENOSPC" && code !== "EMFILE") throw error;
      throw new Error(
        `the system lets nobody watch more folders (${code}). Raise its limit: sudo sysctl fs.inotify.max_user_watches=524288`,
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
