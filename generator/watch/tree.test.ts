import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { type TemporaryProject, temporaryProject } from "../testing/project.js";
import { watchTree } from "./tree.js";

/** Watches a project, and waits until a path was reported. */
function watching({ root }: TemporaryProject) {
  const seen = new Set<string>();
  const waiting = new Map<string, () => void>();
  const watcher = watchTree(
    root,
    (folder) => !folder.endsWith("ignored"),
    (paths) => {
      for (const path of paths) {
        seen.add(path);
        waiting.get(path)?.();
      }
    },
  );
  onTestFinished(() => watcher.close());
  return {
    seen,
    until: (path: string) =>
      new Promise<void>((resolve) => {
        if (seen.delete(path)) resolve();
        else
          waiting.set(path, () => {
            seen.delete(path);
            waiting.delete(path);
            resolve();
          });
      }),
  };
}

it("sees a file that is written, and one that an editor replaces, again and again", async () => {
  const project = temporaryProject({ "a/b.ts": "1" });
  const { until } = watching(project);
  project.write("a/b.ts", "2");
  await until("a/b.ts");
  for (const text of ["3", "4"]) {
    project.write("a/.b.ts.swp", text);
    renameSync(join(project.root, "a/.b.ts.swp"), join(project.root, "a/b.ts"));
    await until("a/b.ts");
  }
});

it("sees what is in folders that are new, that moved, and that were made again", async () => {
  const project = temporaryProject({ "a/x": "", "from/deep/c.ts": "1" });
  const { until } = watching(project);
  project.write("a/new/deep/b.ts", "1");
  await until("a/new/deep/b.ts");
  project.write("a/new/deep/b.ts", "2");
  await until("a/new/deep/b.ts");
  renameSync(join(project.root, "from"), join(project.root, "to"));
  await until("to/deep/c.ts");
  rmSync(join(project.root, "to"), { recursive: true });
  await until("to");
  project.write("to/deep/c.ts", "2");
  await until("to/deep/c.ts");
  project.write("to/deep/c.ts", "3");
  await until("to/deep/c.ts");
});

it("does not look into folders that it is told not to, nor through links", async () => {
  const project = temporaryProject({ "ignored/a.ts": "1", "elsewhere/a.ts": "1" });
  mkdirSync(join(project.root, "a"));
  symlinkSync(join(project.root, "ignored"), join(project.root, "a/link"));
  const { seen, until } = watching(project);
  project.write("ignored/a.ts", "2");
  project.write("elsewhere/a.ts", "2");
  await until("elsewhere/a.ts");
  expect([...seen]).toEqual([]);
});
