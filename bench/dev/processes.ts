import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";

/** The processes of a running system, by program. */
export type Kind = "node" | "postgres" | "other";

export interface ProcessFigures {
  readonly pid: number;
  readonly kind: Kind;
  /** The last parts of its command. */
  readonly name: string;
  /** Processor time in milliseconds, without its children's. */
  readonly cpu: number;
  /** Processor time in milliseconds of its children that have ended. */
  readonly ended: number;
  /** Resident memory in MiB, with what it shares with others. */
  readonly rss: number;
  /** Proportional memory in MiB: shared pages are divided among those who share them. */
  readonly pss: number;
}

/** Linux's clock tick, which its ABI fixes for /proc. */
const TICK_MS = 10;

/** Returns a process and all below it. */
export function processesOf(root: number): ProcessFigures[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    const fields = /^\d+$/.test(entry) ? statOf(Number(entry)) : undefined;
    if (fields !== undefined) parents.set(Number(entry), Number(fields[1]));
  }
  const found = new Set([root]);
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found].flatMap((pid) => figuresOf(pid) ?? []);
}

/** Returns the processor time in milliseconds of a process and of all that it ever started and waited for. */
export function processorTime(root: number): number {
  return sum(processesOf(root), ({ cpu, ended }) => cpu + ended);
}

export function sum(all: readonly ProcessFigures[], of: (one: ProcessFigures) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}

function figuresOf(pid: number): ProcessFigures | undefined {
  const fields = statOf(pid);
  const [program = "", ...args] = read(pid, "cmdline")?.split("\0") ?? [];
  const status = read(pid, "status");
  if (fields === undefined || status === undefined) return undefined;
  const time = (from: number) => (Number(fields[from]) + Number(fields[from + 1])) * TICK_MS;
  const kib = (text: string | undefined, label: string) =>
    Number(new RegExp(`^${label}:\\s+(\\d+) kB`, "m").exec(text ?? "")?.[1] ?? 0) / 1024;
  const name = basename(program.split(" ")[0]!.replace(/:$/, ""));
  const script = args.find((arg) => /\.[jt]s$|scaffold$/.test(arg)) ?? args[0] ?? "";
  return {
    pid,
    kind: /^(node|npm|npx)$/.test(name) ? "node" : name === "postgres" ? "postgres" : "other",
    name: name === "node" ? script.split("/").slice(-2).join("/") : name,
    cpu: time(11),
    ended: time(13),
    rss: kib(status, "VmRSS"),
    pss: kib(read(pid, "smaps_rollup"), "Pss"),
  };
}

/** Returns the fields of a process's `stat` from its state on. */
function statOf(pid: number): string[] | undefined {
  const stat = read(pid, "stat");
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    // It has ended since, or belongs to another user.
    return undefined;
  }
}
