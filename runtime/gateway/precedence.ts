import type { PathTemplate, Segment } from "./template.js";

/** A template's segments and verb without the names of its variables: templates with the same key match the same paths. */
export function templateKey({ segments, customVerb }: PathTemplate): string {
  return JSON.stringify([
    segments.map((segment) => (segment.kind === "literal" ? segment.text : [segment.kind])),
    customVerb,
  ]);
}

/**
 * Orders templates that match the same path, the most specific first: one with a custom verb before one without, a verb
 * of more parts before one of fewer, and then, segment by segment from the left, a literal before `*` before the end of
 * the template before `**`.
 */
export function compareTemplates(a: PathTemplate, b: PathTemplate): number {
  const verbs = verbParts(b) - verbParts(a);
  if (verbs !== 0) return verbs;
  for (let i = 0; i < Math.max(a.segments.length, b.segments.length); i++) {
    const marks = mark(a.segments[i]) - mark(b.segments[i]);
    if (marks !== 0) return marks;
  }
  return 0;
}

function verbParts({ customVerb }: PathTemplate): number {
  return customVerb === undefined ? 0 : customVerb.split(":").length;
}

function mark(segment: Segment | undefined): number {
  return segment === undefined ? 2 : { literal: 0, one: 1, rest: 3 }[segment.kind];
}
