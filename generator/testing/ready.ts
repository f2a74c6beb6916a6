import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/**
 * Collects the lines that a system's supervisor prints. Returns the system's URL once it is ready. Throws an Error with the lines if
 * the supervisor ends before that.
 */
export function whenReady(supervisor: ChildProcess, lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    for (const stream of [supervisor.stdout!, supervisor.stderr!]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        const ready = /^ready (http\S+)/.exec(line);
        if (ready?.[1] !== undefined) resolve(ready[1]);
      });
    }
    supervisor.once("exit", (code) => reject(new Error(`the system ended with ${code}:\n${lines.join("\n")}`)));
  });
}
