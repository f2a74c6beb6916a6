import { matchPath, type PathValue, splitPath } from "./path.js";
import type { Route } from "./route.js";
import { type PathTemplate, parseTemplate } from "./template.js";

/** What a request's verb and path lead to. */
export type RouteMatch<R extends Route> =
  | { readonly kind: "found"; readonly route: R; readonly values: readonly PathValue[] }
  /** The path exists, but not with this verb; `allow` are those it has. */
  | { readonly kind: "wrong-verb"; readonly allow: readonly string[] }
  | { readonly kind: "unknown" };

interface Candidate<R> {
  readonly route: R;
  readonly template: PathTemplate;
}

/** Finds the route of a request among those of a whole system. */
export class Router<R extends Route> {
  private readonly withCustomVerb: readonly Candidate<R>[];
  private readonly plain: readonly Candidate<R>[];

  /**
   * @throws PathTemplateError for a path that is no template
   * @throws Error for two routes that the same requests would match, naming both methods
   */
  constructor(routes: readonly R[]) {
    const candidates = routes.map((route) => ({ route, template: parseTemplate(route.path) }));
    refuseTwins(candidates);
    candidates.sort((a, b) => (rank(a.template) < rank(b.template) ? -1 : 1));
    this.withCustomVerb = candidates.filter(({ template }) => template.customVerb !== undefined);
    this.plain = candidates.filter(({ template }) => template.customVerb === undefined);
  }

  /**
   * Looks a request up. Of several templates that match, the one with the earlier literal wins: `/v1/orders/latest` goes
   * before `/v1/orders/{id}`. A path that ends in a known custom verb means that verb, never an id with a colon. HEAD is
   * answered wherever GET is (RFC 9110, 9.3.2).
   *
   * @throws URIError if the path's percent-encoding is not well-formed UTF-8
   */
  match(verb: string, path: string): RouteMatch<R> {
    const wanted = verb === "HEAD" ? "GET" : verb;
    const split = splitPath(path);
    for (const candidates of path.includes(":") ? [this.withCustomVerb, this.plain] : [this.plain]) {
      const allow = new Set<string>();
      for (const { route, template } of candidates) {
        if (route.verb !== wanted && allow.has(route.verb)) continue;
        const values = matchPath(template, split);
        if (values === undefined) continue;
        if (route.verb === wanted) return { kind: "found", route, values };
        allow.add(route.verb);
        if (route.verb === "GET") allow.add("HEAD");
      }
      if (allow.size > 0) return { kind: "wrong-verb", allow: [...allow].sort() };
    }
    return { kind: "unknown" };
  }
}

/** Sorts templates: literals before `*` before `**`, from the left. Equal ranks match the same paths. */
function rank(template: PathTemplate): string {
  const marks = template.segments.map((segment) =>
    segment.kind === "literal" ? `0${encodeURIComponent(segment.text)}` : segment.kind === "one" ? "1" : "2",
  );
  return `${marks.join("/")}:${template.customVerb ?? ""}`;
}

function refuseTwins(candidates: readonly Candidate<Route>[]): void {
  const seen = new Map<string, Route>();
  for (const { route, template } of candidates) {
    const key = `${route.verb} ${rank(template)}`;
    const twin = seen.get(key);
    if (twin !== undefined) {
      throw new Error(
        `${twin.method} and ${route.method} both answer ${route.verb} ${route.path}: give one of them another path`,
      );
    }
    seen.set(key, route);
  }
}
