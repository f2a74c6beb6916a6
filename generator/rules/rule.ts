/** A rule: its requirement, its reason, and an example of a violation and of a fix. */
export interface RuleEntry {
  /** The requirement, in a sentence. */
  readonly holds: string;
  /** The reason, in a few sentences. */
  readonly why: string;
  /** The language of the examples, by its name in Markdown. */
  readonly language: "proto" | "ts" | "sh" | "handlebars" | "diff";
  readonly bad: string;
  readonly good: string;
  /** What happens when a comment suppresses the rule, or why it cannot be suppressed. */
  readonly ignoring: { readonly allowed: boolean; readonly text: string };
}

/** The rules of one subject, by their ids. */
export type RuleEntries = Readonly<Record<string, RuleEntry>>;

/** Returns the text of a rule that can be suppressed, with the effect of that. */
export function may(text: string): RuleEntry["ignoring"] {
  return { allowed: true, text };
}

/** Returns the text of a rule that cannot be suppressed, with the reason. */
export function never(text: string): RuleEntry["ignoring"] {
  return { allowed: false, text };
}
