import pc from "picocolors";
import type { Diagnostic } from "../../contract/findings/diagnostic.js";

/** The formats of findings, by buf's names. */
export const errorFormats = ["text", "json", "msvs", "github-actions"] as const;
export type ErrorFormat = (typeof errorFormats)[number];

/** The option that every command with findings has. */
export const errorFormatOption = {
  choices: errorFormats,
  default: "text" as ErrorFormat,
  describe: "The format of findings",
};

/**
 * Prints findings on standard output, and sets the exit code: 100 if there is an error among them. Notes only inform, so
 * they come last.
 */
export function report(diagnostics: readonly Diagnostic[], format: ErrorFormat): void {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  const notes = diagnostics.filter(({ severity }) => severity === "note");
  for (const diagnostic of [...errors, ...notes]) process.stdout.write(`${print[format](diagnostic)}\n`);
  if (errors.length > 0) process.exitCode = 100;
}

/**
 * Prints on standard error how many findings there are, and how to learn about the first error's rule. Prints nothing without
 * any.
 */
export function summarise(diagnostics: readonly Diagnostic[]): void {
  const [first, ...others] = diagnostics.filter(({ severity }) => severity === "error");
  if (first === undefined) return;
  const notes = diagnostics.length - 1 - others.length;
  const counts = [number(1 + others.length, "error"), ...(notes > 0 ? [number(notes, "note")] : [])].join(", ");
  process.stderr.write(`${counts}. What ${first.rule} asks for: npx scaffold explain ${first.rule}\n`);
}

function number(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Notes are no errors. */
export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === "error");
}

const print: Readonly<Record<ErrorFormat, (diagnostic: Diagnostic) => string>> = {
  text({ file, line, column, rule, severity, ...finding }) {
    const kind = severity === "note" ? "note: " : "";
    const text = textOf(finding).replaceAll("\n", "\n  ");
    return `${pc.bold(`${file}:${line}:${column}`)}: ${pc.yellow(rule)}: ${kind}${text}`;
  },
  // The names of `buf lint --error-format json`, the severity, and the old place of a deleted declaration.
  json({ file, line, column, rule, message, severity, old }) {
    const place = { path: file, start_line: line, start_column: column };
    const before = old && { path: old.file, start_line: old.line, start_column: old.column };
    return JSON.stringify({ ...place, type: rule, message, severity, old: before });
  },
  // The format that Visual Studio and MSBuild parse, one line a finding. MSBuild calls a note "message".
  msvs({ file, line, column, rule, severity, ...finding }) {
    const kind = severity === "note" ? "message" : "error";
    return `${file}(${line},${column}) : ${kind} ${rule} : ${textOf(finding).replaceAll("\n", " ")}`;
  },
  // https://docs.github.com/actions/reference/workflow-commands-for-github-actions
  "github-actions"({ file, line, column, rule, severity, ...finding }) {
    const command = severity === "note" ? "notice" : "error";
    const text = data(textOf(finding));
    return `::${command} file=${property(file)},line=${line},col=${column},title=${property(rule)}::${text}`;
  },
};

/** Returns the message, and where a deleted declaration stood: programs that read lines take one place each. */
function textOf({ message, old }: Pick<Diagnostic, "message" | "old">): string {
  return old === undefined ? message : `${message} Deleted from ${old.file}:${old.line}:${old.column}.`;
}

function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
