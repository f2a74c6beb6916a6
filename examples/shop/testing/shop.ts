import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { freePort } from "protoscaffold/dev/ports";
import { removePostgres } from "protoscaffold/dev/postgres";
import { bin } from "protoscaffold/testing/cli";
import { execute } from "protoscaffold/testing/tables";

export const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A whole system, run by `scaffold dev` as a user runs it. */
export interface Shop {
  /** The load balancer's address. */
  readonly address: string;
  /** Where the system keeps its state. */
  readonly state: string;
  readonly supervisor: ChildProcess;
  /** Everything printed so far. */
  output(): string;
  /** What `scaffold ps --json` says. */
  processes(): Promise<Process[]>;
  /** The rows that a statement finds in a service's database. */
  query<T>(service: string, sql: string): Promise<T[]>;
  /** Runs a command of the tool on it, and answers with what that printed. */
  run(...args: string[]): Promise<string>;
  /** How many rows of a table in a service's database satisfy a condition. */
  count(service: string, table: string, where: string): Promise<number>;
  /** Settles once the supervisor has ended. */
  ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Ends the system, by default as Ctrl-C does, and forgets its state. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface Process {
  readonly service: string;
  readonly pid: number;
  readonly port: number;
  readonly state: string;
}

/** Starts the shop on a free port, with its state in a folder of its own, and waits until it is ready. */
export async function startShop(
  options: {
    state?: string;
    port?: number;
    command?: readonly [string, ...string[]];
    /** Added to the environment: `BROKER_URL` for one. */
    env?: NodeJS.ProcessEnv;
  } = {},
): Promise<Shop> {
  const state = options.state ?? (await stateFolder("shop-"));
  const port = options.port ?? (await freePort());
  const env = { ...process.env, ...options.env, PORT: String(port), SCAFFOLD_STATE: state, NO_COLOR: "1" };
  const [program, ...args] = options.command ?? [process.execPath, bin, "dev"];
  const supervisor = spawn(program, args, {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const address = await new Promise<string>((resolve, reject) => {
    for (const stream of [supervisor.stdout, supervisor.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        const ready = /^ready (http:\S+)/.exec(line);
        if (ready?.[1] !== undefined) resolve(ready[1]);
      });
    }
    supervisor.once("exit", (code) => reject(new Error(`scaffold dev ended with ${code}:\n${lines.join("\n")}`)));
  });
  const end = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    supervisor.once("exit", (code, signal) => resolve({ code, signal }));
  });
  async function query<T>(service: string, sql: string): Promise<T[]> {
    const { postgres } = JSON.parse(await readFile(join(state, "run.json"), "utf8")) as { postgres: { port: number } };
    const password = (await readFile(join(state, "postgres/password"), "utf8")).trim();
    const url = `postgres://postgres:${password}@127.0.0.1:${postgres.port}/${service}`;
    return (await execute(url, sql)).rows as T[];
  }
  return {
    address,
    state,
    supervisor,
    output: () => lines.join("\n"),
    processes: async () => JSON.parse(await run(["ps", "--json"], env)) as Process[],
    query,
    run: (...args) => run(args, env),
    count: async (service, table, where) =>
      (await query<{ count: number }>(service, `select count(*)::int as count from "${table}" where ${where}`))[0]!
        .count,
    ended: () => end,
    async stop(signal = "SIGINT") {
      supervisor.kill(signal);
      await end;
      // npm may end before what it started.
      await until("everything has ended", () => !existsSync(join(state, "run.json")));
      await removePostgres(join(state, "postgres"));
      await rm(state, { recursive: true, force: true });
    },
  };
}

/** A new folder inside the project, where programs find their packages; git does not see it. */
export async function stateFolder(prefix: string): Promise<string> {
  const folder = join(root, ".scaffold", "tests");
  await mkdir(folder, { recursive: true });
  return mkdtemp(join(folder, prefix));
}

/** Runs a command of the tool, and answers with what it printed; rejects with its errors if it fails. */
export function run(args: readonly string[], env: NodeJS.ProcessEnv = process.env, cwd = root): Promise<string> {
  const child = spawn(process.execPath, [bin, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("close", (code) =>
      code === 0
        ? resolve(stdout)
        : reject(new Error(`scaffold ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`)),
    );
  });
}

/** Waits until something is so; fails, saying what it waited for, after half a minute. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, atMostS = 30): Promise<void> {
  const end = Date.now() + atMostS * 1000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${atMostS} s in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
