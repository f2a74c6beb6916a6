import { catalogue, findRule, type Rule } from "../../rules/catalogue.js";
import { didYouMean } from "../../text/closest.js";
import type { Diagnostic } from "./diagnostic.js";
import { type IgnoreComment, ignoreComments, ignoreWord } from "./ignore-comments.js";

/**
 * Removes the findings that comments suppress, and adds findings about these comments.
 *
 * @param texts the project's .proto files, by the paths that findings have
 */
export function applyIgnores(findings: readonly Diagnostic[], texts: ReadonlyMap<string, string>): Diagnostic[] {
  const comments = [...texts].flatMap(([file, text]) => ignoreComments(text).map((comment) => ({ file, ...comment })));
  if (comments.length === 0) return [...findings];
  const used = new Set<IgnoreComment>();
  const left = findings.filter(({ file, line, rule }) => {
    if (!findRule(rule)?.ignoring.allowed) return true;
    const ignoring = comments.filter(
      (comment) => comment.file === file && comment.about === line && comment.rule === rule && comment.reason !== "",
    );
    for (const comment of ignoring) used.add(comment);
    return ignoring.length === 0;
  });
  const faults = comments.flatMap((comment) => fault(comment, used.has(comment)) ?? []);
  // An error elsewhere may have prevented the finding that a comment suppresses.
  const broken = left.some(({ severity }) => severity === "error");
  return [...left, ...faults.filter(({ rule }) => !broken || rule !== "IGNORE_UNUSED")];
}

function fault(comment: IgnoreComment & { file: string }, used: boolean): Diagnostic | undefined {
  const { file, line, column, rule, reason } = comment;
  const error = (found: Rule, message: string): Diagnostic => ({
    file,
    line,
    column,
    rule: found,
    message,
    severity: "error",
  });
  const known = findRule(rule);
  if (rule === "")
    return error("IGNORE_RULE", `Nothing is said to be ignored: write // ${ignoreWord} <rule> <reason>.`);
  if (known === undefined) {
    const hint = didYouMean(rule, Object.keys(catalogue)) || " buf's rules are ignored by // buf:lint:ignore.";
    return error("IGNORE_RULE", `${rule} is not a rule of scaffold's.${hint} scaffold explain lists them all.`);
  }
  if (!known.ignoring.allowed) {
    return error("IGNORE_RULE", `${rule} cannot be ignored: ${known.ignoring.text} Remove the comment.`);
  }
  if (reason === "") return error("IGNORE_REASON", `Say why: // ${ignoreWord} ${rule} <reason>.`);
  if (used) return undefined;
  return error(
    "IGNORE_UNUSED",
    `There is no ${rule} on line ${comment.about} to ignore: remove the comment, or move it to the line above the finding.`,
  );
}
