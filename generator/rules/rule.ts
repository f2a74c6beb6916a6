/** One kind of finding, for those who meet it: what must hold, why, and how it looks when it does not and when it does. */
export interface RuleEntry {
  /** What must hold, in a sentence. */
  readonly holds: string;
  /** Why it must, in a few sentences. */
  readonly why: string;
  /** The language of the examples, as Markdown names it. */
  readonly language: "proto" | "ts" | "sh" | "handlebars" | "diff";
  readonly bad: string;
  readonly good: string;
  /** What is done when a comment has the rule ignored, or why it cannot be. */
  readonly ignoring: { readonly allowed: boolean; readonly text: string };
}

/** The rules of one subject, by their ids. */
export type RuleEntries = Readonly<Record<string, RuleEntry>>;

/** The rule can be ignored, and then this is what is done. */
export function may(text: string): RuleEntry["ignoring"] {
  return { allowed: true, text };
}

/** The rule cannot be ignored, since… */
export function never(text: string): RuleEntry["ignoring"] {
  return { allowed: false, text };
}
