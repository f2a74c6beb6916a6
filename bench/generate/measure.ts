import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bufBinary } from "../../generator/image/buf.js";
import { contract, contractPath } from "./system.js";

const bin = fileURLToPath(new URL("../../node_modules/.bin", import.meta.url));

/** What is measured, each beside the others in every round. */
export const subjects = ["alone", "cold", "build", "unchanged", "changed"] as const;
export type Subject = (typeof subjects)[number];

/** One run: by the clock, and of processor time, its children's included; milliseconds. */
export interface Sample {
  readonly wall: number;
  readonly cpu: number;
}

export interface Figures {
  readonly size: number;
  readonly samples: Readonly<Record<Subject, readonly Sample[]>>;
  /** The peak of memory of all processes together, in MiB. */
  readonly memory: Readonly<Record<Subject, number>>;
}

export interface Conditions {
  readonly root: string;
  readonly size: number;
  /** The path of the tool's command. */
  readonly tool: string;
  readonly rounds: number;
  readonly log: (line: string) => void;
}

/** Measures one system: a round that warms up, then all subjects in turn, round after round, then their memory. */
export async function measureSystem({ root, size, tool, rounds, log }: Conditions): Promise<Figures> {
  const generate = [process.execPath, tool, "generate"];
  const commands: Readonly<Record<Subject, readonly string[]>> = {
    alone: [bufBinary(), "generate"],
    cold: generate,
    build: [bufBinary(), "build", "--as-file-descriptor-set", "-o", "/dev/null"],
    unchanged: generate,
    changed: generate,
  };
  // Each subject finds the project as a cold generation left it, except the two that start from nothing.
  const prepare: Partial<Record<Subject, () => Promise<void>>> = {
    alone: () => rm(join(root, "alone"), { recursive: true, force: true }),
    async cold() {
      for (const folder of ["generated", "services", ".scaffold", "node_modules"]) {
        await rm(join(root, folder), { recursive: true, force: true });
      }
      await writeFile(join(root, contractPath(0)), contract(0, size));
    },
    changed: () => {
      const text = contract(0, size).replace("// Places an order.", `// Places an order, number ${Math.random()}.`);
      return writeFile(join(root, contractPath(0)), text);
    },
  };
  const samples: Record<Subject, Sample[]> = { alone: [], cold: [], build: [], unchanged: [], changed: [] };
  for (let round = -1; round < rounds; round++) {
    for (const subject of subjects) {
      await prepare[subject]?.();
      const sample = await time(root, commands[subject]);
      if (round >= 0) samples[subject].push(sample);
    }
    log(
      `${size} services, round ${round + 1} of ${rounds}: ${subjects.map((s) => `${s} ${Math.round(samples[s].at(-1)?.wall ?? 0)} ms`).join(", ")}`,
    );
  }
  const memory: Record<Subject, number> = { alone: 0, cold: 0, build: 0, unchanged: 0, changed: 0 };
  for (const subject of subjects) {
    await prepare[subject]?.();
    memory[subject] = await peakMemory(root, commands[subject]);
  }
  return { size, samples, memory };
}

const environment = { ...process.env, PATH: `${bin}:${process.env.PATH}`, NO_COLOR: "1", NODE_OPTIONS: "" };

/** Runs a command under bash's own `time`, which counts what its children used, too. */
async function time(root: string, command: readonly string[]): Promise<Sample> {
  const script = `TIMEFORMAT='%3R %3U %3S'; time "$@" >/dev/null 2>err.txt`;
  const child = spawn("bash", ["-c", script, "bash", ...command], { cwd: root, env: environment });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  const [wall = Number.NaN, user = Number.NaN, system = Number.NaN] = said.trim().split(" ").map(Number);
  if (code !== 0 || Number.isNaN(wall)) {
    throw new Error(`${command.join(" ")}: exit code ${code}\n${readFileSync(join(root, "err.txt"), "utf8")}`);
  }
  return { wall: wall * 1000, cpu: (user + system) * 1000 };
}

/** Runs a command, and looks at it and its children every few milliseconds: the sum of each one's highest water mark. */
async function peakMemory(root: string, command: readonly string[]): Promise<number> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { cwd: root, env: environment, stdio: "ignore" });
  const marks = new Map<number, number>();
  const timer = setInterval(() => look(child.pid!, marks), 5);
  await new Promise<void>((resolve, reject) => child.on("error", reject).on("close", () => resolve()));
  clearInterval(timer);
  return [...marks.values()].reduce((sum, kib) => sum + kib, 0) / 1024;
}

function look(pid: number, marks: Map<number, number>): void {
  try {
    const mark = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    // One that has ended, and is still listed, has no memory any more.
    marks.set(pid, Math.max(marks.get(pid) ?? 0, Number(mark ?? 0)));
    // A child belongs to the thread that started it.
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim();
      for (const each of children === "" ? [] : children.split(" ")) look(Number(each), marks);
    }
  } catch {
    // It has ended since.
  }
}
