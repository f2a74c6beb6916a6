import Handlebars from "handlebars";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import type { Rule } from "../rules/catalogue.js";
import { didYouMean } from "../text/closest.js";

/** Thrown for a template that cannot be rendered. Its findings have the place and the reason. */
export class TemplateError extends Error {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(({ file, line, message }) => `${file}:${line}: ${message}`).join("\n"));
  }
}

/** Returns the errors of Handlebars' parser. */
export function faultIn(file: string, text: string): Diagnostic[] {
  try {
    Handlebars.parse(text);
    return [];
  } catch (error) {
    return [brokenAt(file, error)];
  }
}

/** Converts an error of Handlebars to a finding. */
export function brokenAt(file: string, error: unknown): Diagnostic {
  const { message, lineNumber, column } = error as HandlebarsError;
  if (lineNumber !== undefined) {
    const said = message.replace(/ - \d+:\d+$/, "");
    return finding("TEMPLATE_BROKEN", file, lineNumber, (column ?? 0) + 1, `${said}: make them a pair.`);
  }
  // "Parse error on line 2:", what was read before, dashes up to where that ends, and what was expected.
  const [, line, read = "", dashes = "", wanted = "", got = ""] =
    /^(?:Parse|Lexical) error on line (\d+)[^\n]*\n(.*)\n(-*)\^(?:\nExpecting (.*), got '(.*)')?/s.exec(message) ?? [];
  if (line === undefined) return finding("TEMPLATE_BROKEN", file, 1, 1, message);
  const reason =
    got === "EOF"
      ? "The template ends inside of a block: close it, as {{/if}} does"
      : wanted.includes("'ID'")
        ? "A name, or }}, is expected"
        : "This closes or divides a block that is not open";
  const after = read.slice(0, dashes.length);
  return finding("TEMPLATE_BROKEN", file, Number(line), 1, `${reason}; it was read up to "${after}".`);
}

/** Returns a finding for a name that the template's data does not have. */
export function unknownName(file: string, error: unknown, name: string, names: readonly string[]): Diagnostic {
  const { lineNumber = 1, column = 0 } = error as HandlebarsError;
  const there = names.length === 0 ? "there are no names" : `there are ${names.join(", ")}`;
  const hint = didYouMean(name, [...names, ...helpers]);
  const message = `There is no ${name} here; ${there}, and the helpers ${helpers.join(", ")}.${hint}`;
  return finding("TEMPLATE_NAME_UNKNOWN", file, lineNumber, column + 1, message);
}

type HandlebarsError = Error & { lineNumber?: number; column?: number };

const helpers = ["camel", "pascal", "kebab", "json"];

function finding(rule: Rule, file: string, line: number, column: number, message: string): Diagnostic {
  return { file, line, column, rule, message, severity: "error" };
}
