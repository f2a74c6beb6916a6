import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunState } from "../../generator/dev/state.js";
import { processorTime } from "./processes.js";

/** The deadline of a wait that would otherwise never end. */
const LIMIT_MS = 60_000;
const POLL_MS = 10;

/** Wall-clock time and the processor time of all processes, in milliseconds. */
export interface Span {
  readonly wall: number;
  readonly cpu: number;
}

/** A system that `scaffold dev --watch` runs. */
export interface RunningSystem {
  readonly pid: number;
  /** From the start of the command until it says that the system is ready. */
  readonly start: Span;
  readonly url: string;
  /** Returns the address of a service or gateway. */
  address(name: string): string;
  /** Measures from an edit until `done`, which is asked every few milliseconds. */
  until(edit: () => Promise<void>, done: () => Promise<boolean>): Promise<Span>;
  /** Whether every process is healthy. */
  healthy(): boolean;
  stop(): Promise<void>;
}

/** Starts the system in `root` with the tool's command. Rejects if it ends before it is ready. */
export async function startSystem(root: string, tool: string): Promise<RunningSystem> {
  const from = performance.now();
  const child = spawn(process.execPath, [tool, "dev", "--watch"], {
    cwd: root,
    env: { ...process.env, PORT: "0", NO_COLOR: "1", NODE_OPTIONS: "", SCAFFOLD_STATE: "" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
        const found = /^ready (\S+)$/m.exec(output)?.[1];
        if (found !== undefined) resolve(found);
      });
    }
    void ended.then(() => reject(new Error(`the system did not start:\n${output}`)));
  });
  const pid = child.pid!;
  const start = { wall: performance.now() - from, cpu: processorTime(pid) };
  const state = () => JSON.parse(readFileSync(join(root, ".scaffold/run.json"), "utf8")) as RunState;
  return {
    pid,
    start,
    url,
    address: (name) => `http://127.0.0.1:${state().processes.find((process) => process.name === name)!.port}`,
    healthy: () => state().processes.every((process) => process.state === "healthy"),
    async until(edit, done) {
      const cpu = processorTime(pid);
      const began = performance.now();
      await edit();
      while (!(await done())) {
        if (performance.now() - began > LIMIT_MS) throw new Error(`waited in vain:\n${output}`);
        await sleep(POLL_MS);
      }
      const wall = performance.now() - began;
      return { wall, cpu: processorTime(pid) - cpu };
    },
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
