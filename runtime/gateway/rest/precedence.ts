import type { PathTemplate, Segment } from "./template.js";

/**
 * A template's segments and verb without the names of its variables: templates with the same key match the same paths (but for
 * such as have an empty segment where one template has `*`).
 */
export function templateKey(template: PathTemplate): string {
  const text = (segment: Segment) => (segment.kind === "literal" ? segment.text : [segment.kind]);
  const { before, after } = aroundRest(template);
  return JSON.stringify([before.map(text), after?.map(text), template.customVerb]);
}

/**
 * Orders templates that match the same path, the most specific first: one with a custom verb before one without, a verb of
 * more parts before one of fewer; then, segment by segment from the left, a literal before `*` before the end of the
 * template before `**`; and then, of what follows `**`, segment by segment from the right, a literal before `*` before none.
 * `*` beside `**` counts as following it, on whichever side it stands.
 *
 * A template that matches only some of the paths of another one goes before it.
 */
export function compareTemplates(a: PathTemplate, b: PathTemplate): number {
  return verbParts(b) - verbParts(a) || compareMarks(marks(a), marks(b)) || compareMarks(marksAfter(a), marksAfter(b));
}

function verbParts({ customVerb }: PathTemplate): number {
  return customVerb === undefined ? 0 : customVerb.split(":").length;
}

/** What stands on both sides of `**`, each `*` beside it on the right; without `**`, all stands before. */
function aroundRest({ segments, rest }: PathTemplate): { before: readonly Segment[]; after?: readonly Segment[] } {
  if (rest === -1) return { before: segments };
  let end = rest;
  while (segments[end - 1]?.kind === "one") end--;
  return { before: segments.slice(0, end), after: [...segments.slice(end, rest), ...segments.slice(rest + 1)] };
}

const END = 2;
const REST = 3;

/** How specific each segment is, from the left up to `**`. */
function marks(template: PathTemplate): number[] {
  const { before, after } = aroundRest(template);
  return [...before.map(mark), after === undefined ? END : REST];
}

/** The same of what follows `**`, from the right. */
function marksAfter(template: PathTemplate): number[] {
  return [...(aroundRest(template).after ?? []).map(mark).reverse(), END];
}

function mark({ kind }: Segment): number {
  return kind === "literal" ? 0 : 1;
}

/** The first difference of two lists, of which none goes on as the other does and ends before it. */
function compareMarks(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((mark, i) => mark !== b[i]);
  return at === -1 ? 0 : a[at]! - b[at]!;
}
