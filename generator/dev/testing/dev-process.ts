import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { end } from "../end.js";
import { runFolder } from "../folder.js";
import { identify, isRunning, type ProcessIdentity } from "../pid.js";
import { type ProcessRecord, type RunState, readState } from "../state.js";

/** A system that a test runs in a real process, by `scaffold dev` or npm. */
export class DevProcess {
  stdout = "";
  stderr = "";
  readonly pid: number;
  /** The reason of its end: "exit code 0", "SIGKILL". */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #root: string;
  readonly #seen = new Map<number, ProcessIdentity>();

  /**
   * Starts `command` in `root`, in a process group of its own as a terminal would. Kills its remaining processes at the end of the
   * test.
   */
  constructor(root: string, [program, ...args]: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.#root = root;
    // Variables of the test runner and of npm must not reach it.
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(npm_|VITEST|NODE_|TEST|DEV|PROD|MODE|BASE_URL)/.test(name),
    );
    this.#child = spawn(program!, args, {
      cwd: root,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...Object.fromEntries(inherited), PORT: "0", ...environment },
    });
    this.pid = this.#child.pid!;
    this.ended = end(this.#child);
    this.#child.stdout!.on("data", (chunk) => {
      this.stdout += chunk;
    });
    this.#child.stderr!.on("data", (chunk) => {
      this.stderr += chunk;
    });
    onTestFinished(async () => {
      this.#child.kill("SIGKILL");
      for (const process of await this.running()) kill(process.pid);
    });
  }

  /** The system's address, once it is ready. */
  async ready(): Promise<string> {
    let how: string | undefined;
    void this.ended.then((said) => {
      how = said;
    });
    const url = await eventually("the system to be ready", async () => {
      if (how !== undefined) throw new Error(`it ended (${how}):\n${this.stdout}\n${this.stderr}`);
      return /^ready (\S+)$/m.exec(this.stdout)?.[1];
    });
    await this.remember();
    return url;
  }

  /** Reads the state that the supervisor stored. */
  async state(): Promise<RunState> {
    return eventually("run.json", () => readState(runFolder(this.#root).state));
  }

  async record(name: string): Promise<ProcessRecord> {
    const { processes, postgres, balancer } = await this.state();
    return [...processes, balancer, ...(postgres ? [postgres] : [])].find((record) => record.name === name)!;
  }

  /** Remembers every current process, those of PostgreSQL and below npm too. */
  async remember(): Promise<void> {
    const { supervisor, guard, processes, postgres } = await this.state();
    const recorded = [supervisor, guard, postgres?.process, ...processes.map(({ process }) => process)];
    const roots = [this.pid, ...recorded.flatMap((process) => process?.pid ?? [])];
    for (const pid of await withDescendants(roots)) {
      const identity = await identify(pid);
      if (identity !== undefined) this.#seen.set(pid, identity);
    }
  }

  /** Returns the remembered processes that still run. */
  async running(): Promise<ProcessIdentity[]> {
    const seen = [...this.#seen.values()];
    const runs = await Promise.all(seen.map(isRunning));
    return seen.filter((_, index) => runs[index]);
  }

  /** Waits until none of them runs. */
  async nothingLeft(): Promise<void> {
    await eventually("all processes to end", async () => (await this.running()).length === 0 || undefined);
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Sends Ctrl-C as a terminal does: to the whole process group in the foreground. */
  ctrlC(): void {
    process.kill(-this.pid, "SIGINT");
  }
}

/** Polls until there is a result. The deadline only ends a wait that would never end. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const deadline = Date.now() + 40_000; Date.now() < deadline; await sleep(25)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`waited in vain for ${what}`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

async function withDescendants(roots: readonly number[]): Promise<Set<number>> {
  const parents = new Map<number, number>();
  for (const entry of await readdir("/proc").catch(() => [])) {
    const stat = /^\d+$/.test(entry) ? await readFile(`/proc/${entry}/stat`, "latin1").catch(() => "") : "";
    if (stat !== "") parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
  }
  const found = new Set(roots);
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return found;
}
