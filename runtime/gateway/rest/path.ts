import type { PathTemplate, Segment, Variable } from "./template.js";

/** A request's path, cut once for all templates that it is compared with. */
export interface RequestPath {
  /** The segments as they were sent, percent-encoded. */
  readonly raw: readonly string[];
  /** The same, decoded. */
  readonly decoded: readonly string[];
}

/** A value from the path for one request field. */
export interface PathValue {
  /** The field's path in proto spelling. */
  readonly fieldPath: readonly string[];
  readonly value: string;
}

/**
 * Cuts a path (without query) into its segments.
 *
 * @throws URIError if its percent-encoding is not well-formed UTF-8
 */
export function splitPath(path: string): RequestPath {
  const raw = path === "/" ? [] : path.split("/").slice(1);
  return { raw, decoded: path.includes("%") ? raw.map(decodeURIComponent) : raw };
}

/**
 * Compares a path with a template; undefined if it does not match.
 *
 * `*` takes one segment that is not empty, `**` takes all that the template's others leave, also none. A custom verb ends
 * the last segment, after a literal colon; an id that ends like one is sent with `%3A`.
 */
export function matchPath(template: PathTemplate, path: RequestPath): PathValue[] | undefined {
  const { segments, rest, customVerb, variables } = template;
  // The number of segments that "**" adds: later segments are shifted by it.
  const longer = path.raw.length - segments.length;
  if (rest === -1 ? longer !== 0 : longer < -1) return undefined;
  const bare = customVerb === undefined ? path : withoutVerb(path, customVerb);
  if (bare === undefined) return undefined;
  for (let i = 0; i < segments.length; i++) {
    if (i !== rest && !accepts(segments[i]!, bare.decoded[placeInPath(i, template, longer)]!)) return undefined;
  }
  return variables.map((variable) => ({
    fieldPath: variable.fieldPath,
    value: variableValue(variable, template, bare, longer),
  }));
}

/** Where in a path that is `longer` the template's segment at a position begins. */
function placeInPath(position: number, { rest }: PathTemplate, longer: number): number {
  return rest === -1 || position <= rest ? position : position + longer;
}

function accepts(segment: Segment, text: string): boolean {
  return segment.kind === "literal" ? segment.text === text : text !== "";
}

function withoutVerb({ raw, decoded }: RequestPath, verb: string): RequestPath | undefined {
  const last = raw.at(-1);
  const colon = last === undefined ? -1 : verbColon(last, verb);
  if (last === undefined || colon === -1) return undefined;
  const bare = last.slice(0, colon);
  return { raw: raw.with(-1, bare), decoded: decoded.with(-1, decodeURIComponent(bare)) };
}

/** Where the colon before a verb stands, which may have been sent percent-encoded; -1 if the segment ends otherwise. */
function verbColon(segment: string, verb: string): number {
  if (segment.endsWith(`:${verb}`)) return segment.length - verb.length - 1;
  if (!segment.includes("%")) return -1;
  // Each of a verb's UTF-16 units is 3 bytes at most, and each of them 3 characters. A segment may be all colons.
  const first = Math.max(segment.length - 1 - verb.length * 9, 1);
  for (let colon = segment.lastIndexOf(":"); colon >= first; colon = segment.lastIndexOf(":", colon - 1)) {
    if (decodeURIComponent(segment.slice(colon + 1)) === verb) return colon;
  }
  return -1;
}

/** A single segment is decoded completely; several keep `%2F`, which distinguishes a slash inside a segment from a separator. */
function variableValue(variable: Variable, template: PathTemplate, path: RequestPath, longer: number): string {
  const start = placeInPath(variable.start, template, longer);
  if (!variable.multi) return path.decoded[start]!;
  return path.raw
    .slice(start, placeInPath(variable.end, template, longer))
    .map((segment) => decodeURIComponent(segment.replace(/%(2f)/gi, "%25$1")))
    .join("/");
}
