import type { PathTemplate, Segment, Variable } from "./template.js";

/** A request's path, split into segments once for all templates. */
export interface RequestPath {
  /** The segments, percent-encoded as in the request. */
  readonly raw: readonly string[];
  /** The percent-decoded segments. */
  readonly decoded: readonly string[];
}

/** The value of one request field, taken from the path. */
export interface PathValue {
  /** The field's path with proto names. */
  readonly fieldPath: readonly string[];
  readonly value: string;
}

/**
 * Splits a path (without query) into its segments.
 *
 * @throws URIError if its percent-encoding is not well-formed UTF-8
 */
export function splitPath(path: string): RequestPath {
  const raw = path === "/" ? [] : path.split("/").slice(1);
  return { raw, decoded: path.includes("%") ? raw.map(decodeURIComponent) : raw };
}

/**
 * Matches a path with a template. Returns the values of the template's variables, or undefined if the path does not match.
 *
 * `*` matches one segment that is not empty. `**` matches the segments that the rest of the template leaves, possibly none. A
 * custom verb ends the last segment, after a literal colon. In an id that ends with the same text, the colon is sent as `%3A`.
 */
export function matchPath(template: PathTemplate, path: RequestPath): PathValue[] | undefined {
  const { segments, rest, customVerb, variables } = template;
  // The path has so many more segments than the template, all of them for "**". Segments after "**" are shifted by it.
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

/** Returns the index in the path for an index in the template. The path has `longer` more segments. */
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

/** Returns the index of the colon before a verb, which may be percent-encoded; -1 if the segment does not end with the verb. */
function verbColon(segment: string, verb: string): number {
  if (segment.endsWith(`:${verb}`)) return segment.length - verb.length - 1;
  if (!segment.includes("%")) return -1;
  // Bounds the search in a segment of many colons: a UTF-16 unit has at most 3 bytes, and an encoded byte has 3 characters.
  const first = Math.max(segment.length - 1 - verb.length * 9, 1);
  for (let colon = segment.lastIndexOf(":"); colon >= first; colon = segment.lastIndexOf(":", colon - 1)) {
    if (decodeURIComponent(segment.slice(colon + 1)) === verb) return colon;
  }
  return -1;
}

/** Returns a variable's value. A variable of several segments keeps `%2F`, to distinguish it from a separator. */
function variableValue(variable: Variable, template: PathTemplate, path: RequestPath, longer: number): string {
  const start = placeInPath(variable.start, template, longer);
  if (!variable.multi) return path.decoded[start]!;
  return path.raw
    .slice(start, placeInPath(variable.end, template, longer))
    .map((segment) => decodeURIComponent(segment.replace(/%(2f)/gi, "%25$1")))
    .join("/");
}
