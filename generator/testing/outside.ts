import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { whenReady } from "./ready.js";

/** The environment of a user's terminal, without the variables of the npm and the vitest that tests run in. */
export const userEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(package|lifecycle|command|execpath|config_local_prefix)|INIT_CWD|VITE|NODE_ENV|TEST$)/.test(name),
  ),
);

export const quiet = ["--no-audit", "--no-fund"];

/** Packs the runtime and the tool into a folder. Returns the tarballs' paths, in this order. */
export async function packPackages(folder: string): Promise<string[]> {
  const tarballs: string[] = [];
  for (const name of ["runtime", "generator"]) {
    const source = fileURLToPath(new URL(`../../${name}/`, import.meta.url));
    const { stdout } = await run(source, "npm", "pack", "--json", "--pack-destination", folder);
    const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf("["))) as [{ filename: string }];
    tarballs.push(join(folder, filename));
  }
  return tarballs;
}

/** Runs a program to its end, without a terminal. Rejects with all of its output if it fails. */
export async function run(
  cwd: string,
  program: string,
  ...args: string[]
): Promise<{ stdout: string; stderr: string }> {
  const env = { ...userEnvironment, NO_COLOR: "1" };
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const exit = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  const [code, stdout, stderr] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
  return { stdout, stderr };
}

/** A system that `npm start` runs. */
export interface UserSystem {
  /** Its address: http://127.0.0.1:8080. */
  readonly address: string;
  /** Its output so far, by lines. */
  readonly said: readonly string[];
  /** Stops it with SIGTERM. A SIGINT npm leaves to the terminal, which sends it to everyone. */
  stop(): Promise<void>;
}

/** Runs `npm start` in a project until it says that it is ready. */
export async function npmStart(project: string, port: string, ...args: string[]): Promise<UserSystem> {
  const env = { ...userEnvironment, PORT: port, NO_COLOR: "1" };
  const child: ChildProcess = spawn("npm", ["start", ...args], {
    cwd: project,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: string[] = [];
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const address = await whenReady(child, said);
  return {
    address,
    said,
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}
