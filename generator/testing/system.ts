import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { type RunFolder, runFolder } from "../dev/folder.js";
import { type ListedProcess, listProcesses } from "../dev/list.js";
import { removePostgres } from "../dev/postgres.js";
import { readState } from "../dev/state.js";
import { whenReady } from "./ready.js";

/** A process of a running system: a service, a gateway, the load balancer or PostgreSQL. `pid` is null while none runs. */
export type SystemProcess = ListedProcess;

/** How a system is started for a test. */
export interface SystemOptions {
  /** The project's root. */
  readonly root: string;
  /** The state folder, inside the project; `stop` removes it. Start a system on the state of another one to test a restart. */
  readonly state: string;
  /** The load balancer's port. Default: a free one. */
  readonly port?: number;
  /** Additional environment variables, such as `BROKER_URL`. */
  readonly env?: NodeJS.ProcessEnv;
  /** What starts the system. Default: `scaffold dev`. */
  readonly command?: readonly [program: string, ...args: string[]];
}

/** A whole system that runs for a test, as `scaffold dev` runs it. */
export interface RunningSystem {
  /** The load balancer's URL. */
  readonly address: string;
  /** The state folder. */
  readonly state: string;
  readonly supervisor: ChildProcess;
  /** Returns everything printed so far. */
  output(): string;
  /** Returns what `scaffold ps` lists. */
  processes(): Promise<SystemProcess[]>;
  /** Runs SQL in a service's database, and returns the rows. */
  query<Row>(service: string, sql: string): Promise<Row[]>;
  /** Runs a command of the tool for this system, and returns what it printed. Throws an Error with its output if it fails. */
  run(...args: string[]): Promise<string>;
  /** Resolves when the supervisor has ended. */
  ended(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Stops the system as Ctrl-C does, or with another signal, waits for all its processes, and removes its state. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** The tool's command: the package finds itself by its name, from its sources and from its bundle. */
const scaffold = createRequire(import.meta.url)
  .resolve("protoscaffold/package.json")
  .replace(/package\.json$/, "bin/scaffold.js");
/** How often a stopped system is looked at until it has ended, in milliseconds. */
const POLL_MS = 50;

/** Starts a project's system, and waits until it is ready. Throws an Error with its output if it ends before that. */
export async function startSystem(options: SystemOptions): Promise<RunningSystem> {
  const { root, state, port = 0, command = [process.execPath, scaffold, "dev"] } = options;
  const env = { ...process.env, ...options.env, PORT: String(port), SCAFFOLD_STATE: state, NO_COLOR: "1" };
  const folder = runFolder(root, state);
  const [program, ...args] = command;
  const supervisor = spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const end = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    supervisor.once("exit", (code, signal) => resolve({ code, signal }));
  });
  const lines: string[] = [];
  const address = await whenReady(supervisor, lines);
  return {
    address,
    state: folder.path,
    supervisor,
    output: () => lines.join("\n"),
    processes: () => listProcesses(folder),
    query: (service, sql) => query(folder, service, sql),
    async run(...args) {
      const { code, stdout, stderr } = await runScaffold(args, { cwd: root, env });
      if (code === 0) return stdout;
      throw new Error(`scaffold ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
    },
    ended: () => end,
    async stop(signal = "SIGINT") {
      supervisor.kill(signal);
      await end;
      // npm may end before what it started.
      while ((await readState(folder.state)) !== undefined) await sleep(POLL_MS);
      await removePostgres(folder.postgres);
      await rm(folder.path, { recursive: true, force: true });
    },
  };
}

/** What a command of the tool said, and its exit code; null if a signal ended it. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the tool in a folder of a project, by default with this process's environment. */
export async function runScaffold(
  args: readonly string[],
  { cwd, env = process.env }: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv | undefined },
): Promise<CommandResult> {
  const child = spawn(process.execPath, [scaffold, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, stdout, stderr };
}

async function query<Row>(folder: RunFolder, service: string, sql: string): Promise<Row[]> {
  const port = (await readState(folder.state))?.postgres?.port;
  const password = (await readFile(join(folder.postgres, "password"), "utf8")).trim();
  const client = new pg.Client({ user: "postgres", password, host: "127.0.0.1", port, database: service });
  await client.connect();
  try {
    return (await client.query(sql)).rows as Row[];
  } finally {
    await client.end();
  }
}
