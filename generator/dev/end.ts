import type { ChildProcess } from "node:child_process";

/** Resolves when a child is gone, or could not be started, with how: "SIGKILL", "exit code 1", or the reason. */
export function end(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}
