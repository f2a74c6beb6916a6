import { bufRules } from "../image/buf.js";
import { catalogue, findRule } from "../rules/catalogue.js";
import type { RuleEntry } from "../rules/rule.js";
import { didYouMean } from "../text/closest.js";

/** Returns the text of `scaffold explain` for a rule of the tool or of buf. Throws an Error if the rule is unknown. */
export async function explain(asked: string): Promise<string> {
  const id = asked.toUpperCase();
  const own = findRule(id);
  if (own !== undefined) return explainOwn(id, own);
  if (/^TS\d+$/.test(id)) {
    return `${id} is an error of the TypeScript compiler, found in your code by the project's own tsc.\nIt is ignored as TypeScript does it: // @ts-expect-error <reason>, on the line above.\n`;
  }
  if (id === "COMPILE") {
    return "COMPILE is buf's: the contract is no valid Protobuf, so nothing more can be said of it.\nThe language: https://protobuf.dev/programming-guides/proto3/\n";
  }
  const rules = await bufRules();
  const foreign = rules.find((rule) => rule.id === id);
  if (foreign !== undefined) {
    const comment =
      foreign.kind === "lint" ? `\nIt is ignored as buf does it: // buf:lint:ignore ${id}, on the line above.` : "";
    return `${id} is buf's (${foreign.kind}). ${foreign.purpose}\nhttps://buf.build/docs/${foreign.kind}/rules/#${id.toLowerCase()}${comment}\n`;
  }
  const known = [...Object.keys(catalogue), ...rules.map((rule) => rule.id)];
  throw new Error(`${asked} is not a rule.${didYouMean(id, known)} scaffold explain lists them all`);
}

/** Lists the tool's rules, one per line. */
export function listRules(): string {
  const width = Math.max(...Object.keys(catalogue).map((id) => id.length));
  return Object.entries(catalogue)
    .map(([id, { holds }]) => `${id.padEnd(width)}  ${holds}\n`)
    .join("");
}

function explainOwn(id: string, { holds, why, bad, good, ignoring }: RuleEntry): string {
  const ignored = ignoring.allowed
    ? `Can be ignored: then ${ignoring.text}\n  // scaffold:ignore ${id} <reason>`
    : `Cannot be ignored: ${ignoring.text}`;
  return `${id}: ${holds}\n\n${why}\n\nBad:\n\n${indent(bad)}\n\nGood:\n\n${indent(good)}\n\n${ignored}\n`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "    ");
}
