const WIDTH = 120;
const endOfHeader = "\n/* eslint-disable */\n";

/** Formats a printed file: sorts and wraps imports, and removes repeated blank lines. */
export function layout(content: string): string {
  const lines = content.split("\n");
  const imports = lines.filter((line) => line.startsWith("import "));
  const rest = lines.filter((line) => !line.startsWith("import "));
  const text = rest.map(wrapSignature).join("\n");
  const start = text.indexOf(endOfHeader);
  const header = start < 0 ? "" : text.slice(0, start + endOfHeader.length);
  const body = text.slice(header.length);
  return [header, imports.toSorted(byModule).map(wrap).join("\n"), body]
    .filter((part) => part.trim() !== "")
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .replace(/\n*$/, "\n");
}

/** Sorts packages before files, then by name, and types before values of the same module. */
function byModule(a: string, b: string): number {
  const [left, right] = [moduleOf(a), moduleOf(b)];
  return (
    Number(left.startsWith(".")) - Number(right.startsWith(".")) ||
    (left < right ? -1 : left > right ? 1 : 0) ||
    Number(isValue(a)) - Number(isValue(b))
  );
}

function moduleOf(line: string): string {
  return /from "([^"]*)"/.exec(line)?.[1] ?? "";
}

function isValue(line: string): boolean {
  return !line.startsWith("import type ");
}

function wrap(line: string): string {
  if (line.length <= WIDTH) return line;
  return line.replace(
    /\{ (.*) \}/,
    (_, names: string) =>
      `{\n${names
        .split(", ")
        .map((name) => `  ${name},\n`)
        .join("")}}`,
  );
}

/** Wraps a function's parameters, one per line, if it has any. */
function wrapSignature(line: string): string {
  if (line.length <= WIDTH) return line;
  return line.replace(
    /^(export function [^(]+\()([^)].*)(\): .* \{)$/,
    (_, start: string, parameters: string, end: string) => {
      const lines = parameters.split(", ").map((parameter) => `  ${parameter},\n`);
      return `${start}\n${lines.join("")}${end}`;
    },
  );
}
