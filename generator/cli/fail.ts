import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { camelCase } from "../contract/names/names.js";
import { didYouMean } from "../text/closest.js";
import { type ErrorFormat, errorFormats, report } from "./print/report.js";

/** A mistake on the command line itself. */
export class UsageError extends Error {}

/** What `fail` needs to know to suggest what was meant. */
export interface Words {
  readonly args: readonly string[];
  readonly commands: readonly string[];
  /** The options of the command that was given. */
  readonly options: readonly string[];
}

/** Says on standard error what went wrong, or reports the findings in it, and sets the exit code. */
export function fail(error: unknown, words: Words): void {
  const diagnostics = findingsIn(error);
  if (diagnostics !== undefined) {
    report(diagnostics, formatIn(words.args));
    return;
  }
  process.exitCode = 1;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError || (error instanceof Error && error.name === "YError")) {
    process.stderr.write(`scaffold: ${explain(message, words)}\n`);
  } else {
    process.stderr.write(`scaffold: ${message}\n`);
    if (process.env.DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  }
}

/** Does something of which a failure is said, and is no reason to end. Answers whether it went well. */
export async function attempt(run: () => Promise<unknown>): Promise<boolean> {
  try {
    return (await run()) !== false;
  } catch (error) {
    fail(error, { args: [], commands: [], options: [] });
    return false;
  } finally {
    process.exitCode = 0;
  }
}

/** A contract that does not compile is findings, not a failure. Told by its shape: buf.ts is loaded only when needed. */
function findingsIn(error: unknown): readonly Diagnostic[] | undefined {
  return error instanceof Error && "diagnostics" in error ? (error.diagnostics as readonly Diagnostic[]) : undefined;
}

/** The format that was asked for, as far as it can be told from the bare arguments. */
function formatIn(args: readonly string[]): ErrorFormat {
  const asked = /--error-format[= ](\S+)/.exec(args.join(" "))?.[1];
  return errorFormats.find((format) => format === asked) ?? "text";
}

/** yargs' message, with what was probably meant, and where to read on. */
function explain(said: string, { args, commands, options }: Words): string {
  const command = args.find((arg) => !arg.startsWith("-"));
  if (command !== undefined && !commands.includes(command)) {
    return `"${command}" is not a command.${didYouMean(command, commands)} See scaffold --help`;
  }
  const help = `See scaffold ${command === undefined ? "" : `${command} `}--help`;
  const invalid = /^Invalid values:\n +Argument: ([\w-]+), Given: "?(.*?)"?, Choices: (.*)/.exec(said);
  if (invalid !== null) {
    const [, option, given = "", list = ""] = invalid;
    const choices = list.split(", ").map((choice) => choice.replaceAll('"', ""));
    return `"${given}" is no --${option}; there are ${choices.join(", ")}.${didYouMean(given, choices)} ${help}`;
  }
  const bare = /^Not enough arguments following: ([\w-]+)$/.exec(said)?.[1];
  if (bare !== undefined) return `--${bare} needs a value behind it. ${help}`;
  // yargs names an option in camel case too.
  const message = said.replace(/^(Unknown argument)s: ([\w-]+), (\w+)$/, (all, what, option: string, twin: string) =>
    camelCase(option) === twin && option !== twin ? `${what}: ${option}` : all,
  );
  const unknown = /^Unknown arguments?: ([^,\s]+)/.exec(message)?.[1];
  const hint = unknown === undefined ? "" : didYouMean(unknown, options).replace("mean ", "mean --");
  return `${message}.${hint} ${help}`;
}
