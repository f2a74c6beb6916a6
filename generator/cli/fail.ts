import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { camelCase } from "../contract/names/names.js";
import { didYouMean } from "../text/closest.js";
import { type ErrorFormat, errorFormats, report } from "./print/report.js";

/** Thrown for a faulty command line. */
export class UsageError extends Error {}

/** The names from which `fail` makes suggestions. */
export interface Words {
  readonly args: readonly string[];
  readonly commands: readonly string[];
  /** The options of the command. */
  readonly options: readonly string[];
}

/** Prints an error on standard error, or reports the findings in it, and sets the exit code. */
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

/** Runs a function and prints its failure, without ending the process. Returns whether it succeeded. */
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

/** Returns the findings of a CompileError. Recognizes it by its shape: buf.ts is loaded only when needed. */
function findingsIn(error: unknown): readonly Diagnostic[] | undefined {
  return error instanceof Error && "diagnostics" in error ? (error.diagnostics as readonly Diagnostic[]) : undefined;
}

/** Returns the requested format of findings, from the unparsed arguments. */
function formatIn(args: readonly string[]): ErrorFormat {
  const asked = /--error-format[= ](\S+)/.exec(args.join(" "))?.[1];
  return errorFormats.find((format) => format === asked) ?? "text";
}

/** Returns yargs' message with a suggestion, and where to find help. */
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
  // yargs also has camel case names of options.
  const message = said.replace(/^(Unknown argument)s: ([\w-]+), (\w+)$/, (all, what, option: string, twin: string) =>
    camelCase(option) === twin && option !== twin ? `${what}: ${option}` : all,
  );
  const unknown = /^Unknown arguments?: ([^,\s]+)/.exec(message)?.[1];
  const hint = unknown === undefined ? "" : didYouMean(unknown, options).replace("mean ", "mean --");
  return `${message}.${hint} ${help}`;
}
