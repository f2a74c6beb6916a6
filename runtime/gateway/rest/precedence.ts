import type { PathTemplate, Segment } from "./template.js";

/**
 * Returns a key of a template's segments and verb, without its variables. Templates with the same key match the same paths, except
 * for paths with an empty segment, which `*` does not match.
 */
export function templateKey(template: PathTemplate): string {
  const text = (segment: Segment) => (segment.kind === "literal" ? segment.text : [segment.kind]);
  const { before, after } = aroundRest(template);
  return JSON.stringify([before.map(text), after?.map(text), template.customVerb]);
}

/**
 * Compares two templates for sorting, the most specific one first. A template that matches a subset of another one's paths comes
 * before it. The rules, in this order:
 *
 * 1. A custom verb comes before none, and a verb with more parts before one with fewer.
 * 2. Before `**`, segment by segment from the left: a literal, `*`, the end of the template, `**`.
 * 3. After `**`, segment by segment from the right: a literal, `*`, no segment.
 *
 * A `*` next to `**` counts as after it, on either side.
 */
export function compareTemplates(a: PathTemplate, b: PathTemplate): number {
  return verbParts(b) - verbParts(a) || compareMarks(marks(a), marks(b)) || compareMarks(marksAfter(a), marksAfter(b));
}

function verbParts({ customVerb }: PathTemplate): number {
  return customVerb === undefined ? 0 : customVerb.split(":").length;
}

/** Splits the segments at `**`, moving each `*` next to it to the right side. Without `**`, all segments are `before`. */
function aroundRest({ segments, rest }: PathTemplate): { before: readonly Segment[]; after?: readonly Segment[] } {
  if (rest === -1) return { before: segments };
  let end = rest;
  while (segments[end - 1]?.kind === "one") end--;
  return { before: segments.slice(0, end), after: [...segments.slice(end, rest), ...segments.slice(rest + 1)] };
}

const END = 2;
const REST = 3;

/** Returns the rank of each segment from the left up to `**`; lower is more specific. */
function marks(template: PathTemplate): number[] {
  const { before, after } = aroundRest(template);
  return [...before.map(mark), after === undefined ? END : REST];
}

/** Returns the rank of each segment after `**`, from the right. */
function marksAfter(template: PathTemplate): number[] {
  return [...(aroundRest(template).after ?? []).map(mark).reverse(), END];
}

function mark({ kind }: Segment): number {
  return kind === "literal" ? 0 : 1;
}

/** Compares two lists at their first difference. Both end with a mark, so that neither is a prefix of the other. */
function compareMarks(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((mark, i) => mark !== b[i]);
  return at === -1 ? 0 : a[at]! - b[at]!;
}
