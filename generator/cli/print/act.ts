/** The result of a command: a value for programs, lines for people, and the exit code. */
export interface CommandOutcome {
  readonly result: unknown;
  readonly lines: readonly string[];
  readonly code: 0 | 1 | 100;
}

/** Prints the result of a command, for people or for programs, and sets the exit code. */
export function print({ result, lines, code }: CommandOutcome, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : lines.map((line) => `${line}\n`).join(""));
  process.exitCode = code;
}
