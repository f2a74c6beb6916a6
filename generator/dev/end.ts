import type { ChildProcess } from "node:child_process";

/** Resolves when a child process has ended or could not be started, with the reason: "SIGKILL", "exit code 1", or an error. */
export function end(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}
