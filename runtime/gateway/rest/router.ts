import type { Route } from "../../spec/route.js";
import { matchPath, type PathValue, splitPath } from "./path.js";
import { compareTemplates, templateKey } from "./precedence.js";
import { reservedBy } from "./reserved.js";
import { type PathTemplate, parseTemplate } from "./template.js";

/** The result of a look-up by HTTP method and path. */
export type RouteMatch<R extends Route> =
  | { readonly kind: "found"; readonly route: R; readonly values: readonly PathValue[] }
  /** The path exists, but not with this HTTP method. `allow` lists those that it has. */
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
   * @param services the full names of the services whose calls the gateway forwards
   * @param skip called with each route that is skipped, and the reason
   */
  constructor(routes: readonly R[], services: readonly string[], skip: (route: R, problem: string) => void) {
    const candidates: Candidate<R>[] = [];
    const taken = new Map<string, R>();
    for (const route of routes) {
      const template = parseTemplate(route.path);
      const key = `${route.verb} ${templateKey(template)}`;
      const owner = reservedBy(template, services) ?? taken.get(key)?.method.toString();
      if (owner !== undefined) {
        skip(route, `${route.verb} ${route.path} already leads to ${owner}`);
        continue;
      }
      taken.set(key, route);
      candidates.push({ route, template });
    }
    candidates.sort((a, b) => compareTemplates(a.template, b.template));
    this.withCustomVerb = candidates.filter(({ template }) => template.customVerb !== undefined);
    this.plain = candidates.filter(({ template }) => template.customVerb === undefined);
  }

  /**
   * Returns the route of a request. Of several matching templates, the most specific one wins (see `compareTemplates`):
   * `/v1/orders/latest` comes before `/v1/orders/{id}`, and `/v1/orders` before `/v1/orders/{id=**}`. A path that ends with a known
   * custom verb means that verb, and never an id with a colon. HEAD has the routes of GET (RFC 9110, section 9.3.2).
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
