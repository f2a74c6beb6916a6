import { relative } from "node:path";
import type { WriteStream } from "node:tty";
import pc from "picocolors";
import type { ProcessEvent } from "./process.js";

/** A row of the table of processes. */
export interface Row {
  readonly name: string;
  readonly address: string;
  readonly pid?: number;
  /** The path of its log. */
  readonly log?: string;
}

type Output = Pick<WriteStream, "write" | "isTTY">;

/**
 * Prints the output of a running system: its processes, once it is up, on standard output; its progress on standard error.
 * Uses colour only on a terminal.
 */
export class Terminal {
  readonly #outColors: ReturnType<typeof pc.createColors>;
  readonly #errColors: ReturnType<typeof pc.createColors>;

  constructor(
    private readonly root: string,
    private readonly out: Output = process.stdout,
    private readonly err: Output = process.stderr,
  ) {
    this.#outColors = pc.createColors(inColor(out));
    this.#errColors = pc.createColors(inColor(err));
  }

  /** Prints a step, and then its duration. */
  async step<T>(name: string, run: () => Promise<T>): Promise<T> {
    const start = performance.now();
    if (this.err.isTTY) this.err.write(`  ${name} …`);
    let took = "";
    try {
      const result = await run();
      took = ` ${name.padEnd(10)} ${this.#errColors.dim(seconds(performance.now() - start))}`;
      return result;
    } finally {
      // Overwrites the line of the step's start. After a failure the error follows.
      if (this.err.isTTY) this.err.write("\r\u001b[K");
      if (took) this.err.write(` ${took}\n`);
    }
  }

  note(message: string): void {
    this.err.write(`  ${message}\n`);
  }

  warn(message: string): void {
    this.err.write(`${this.#errColors.yellow(message)}\n`);
  }

  /** Prints what happened to a process, and the reaction to it. */
  event(name: string, event: ProcessEvent): void {
    const { bold, red, green } = this.#errColors;
    const died = `${bold(name)} ${red(`died (${event.how})`)}`;
    if (event.kind === "restarted") this.err.write(`${died}, ${green(`restarted in ${seconds(event.ms)}`)}\n`);
    else this.err.write(`${died} before it was up again; next try in ${seconds(event.nextMs)}\n`);
  }

  /** Prints that a process was restarted with its changes. */
  replaced(name: string, how: string, ms: number): void {
    this.err.write(`${this.#errColors.bold(name)} ${this.#errColors.green(`${how}, in ${seconds(ms)}`)}\n`);
  }

  table(rows: readonly Row[]): void {
    const cells = rows.map(({ name, address, pid, log }) => [
      name,
      address,
      String(pid ?? ""),
      log === undefined ? "" : relative(this.root, log),
    ]);
    this.out.write(`\n${columns(["name", "address", "pid", "log"], cells, this.#outColors)}\n`);
  }

  databases(databases: readonly { name: string; url: string }[]): void {
    if (databases.length === 0) return;
    const rows = databases.map(({ name, url }) => [name, url]);
    this.out.write(`${columns(["database", "url"], rows, this.#outColors)}\n`);
  }

  ready(url: string): void {
    this.out.write(`${this.#outColors.green(this.#outColors.bold(`ready ${url}`))}\n`);
  }
}

/** Formats a table with headings. */
export function columns(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { dim, bold } = pc.createColors(false),
): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const padded = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column]!));
  const lines = rows.map(padded).map(([name, ...rest]) => [bold(name!), ...rest].join("  ").trimEnd());
  return `${[dim(padded(head).join("  ").trimEnd()), ...lines].join("\n")}\n`;
}

/** https://no-color.org */
export function inColor(stream: { isTTY?: boolean }): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
