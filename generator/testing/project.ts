import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder of its own for one test, removed when the test ends. */
export interface TemporaryProject {
  readonly root: string;
  write(path: string, content: string): void;
  /** The file's text, or undefined if there is none. */
  read(path: string): string | undefined;
  git(...args: string[]): string;
  /** Makes the folder a repository, if it is none, and commits all that is in it. */
  commit(): void;
}

export function temporaryProject(files: Readonly<Record<string, string>> = {}): TemporaryProject {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "scaffold-test-")));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const project: TemporaryProject = {
    root,
    write(path, content) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    },
    read(path) {
      return existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined;
    },
    git(...args) {
      const who = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"];
      // A hook that runs these tests would hand its own repository down.
      const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")));
      return execFileSync("git", [...who, ...args], { cwd: root, encoding: "utf8", env });
    },
    commit() {
      if (!existsSync(join(root, ".git"))) project.git("init", "--quiet");
      project.git("add", "--all");
      project.git("commit", "--quiet", "--allow-empty", "--message", "as it was");
    },
  };
  for (const [path, content] of Object.entries(files)) project.write(path, content);
  return project;
}
