import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { builtTool } from "./tool.js";

/** The command line's entry, as the tool's package has it. */
export const bin = await builtTool();

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** What the command reads from standard input. Default: nothing. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Options of Node itself. */
  readonly node?: readonly string[];
}

/** Runs the real command line in a process of its own. */
export async function scaffold(cwd: string, args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const env = { ...process.env, NO_COLOR: "1", ...options.env };
  const child = spawn(process.execPath, [...(options.node ?? []), bin, ...args], { cwd, env });
  const exit = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  child.stdin.on("error", () => {}).end(options.input ?? "");
  const [code, stdout, stderr] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}
