import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { http as httpOption } from "@protoscaffold/runtime/codegen/options/google/api/annotations_pb.js";
import { type HttpRule, HttpRuleSchema } from "@protoscaffold/runtime/codegen/options/google/api/http_pb.js";
import { service as serviceOption } from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";
import { templateKey } from "@protoscaffold/runtime/gateway/rest/precedence";
import { reservedBy } from "@protoscaffold/runtime/gateway/rest/reserved";
import { RouteError, resolveRoute } from "@protoscaffold/runtime/gateway/rest/resolve";
import { parseTemplate } from "@protoscaffold/runtime/gateway/rest/template";
import type { Http } from "../contract.js";
import type { Findings } from "../findings/findings.js";
import { upperFirst } from "../names/names.js";

const { field } = HttpRuleSchema;

const leftOut = "The contract is not this project's, so the route is left out.";

/**
 * Returns whether the project can change a method's contract. Services of others have no (scaffold.v1.service), even if
 * package.json has them run here.
 */
function isOurs({ parent }: DescMethod): boolean {
  return hasOption(parent, serviceOption);
}

/** Reports a fault of a rule. `at` is the number of the rule's faulty field. */
type Fail = (message: string, at?: { readonly number: number } | undefined) => undefined;

/**
 * Returns the HTTP routes of a method, additional bindings included, without those that cannot be served. Such a route is an
 * error in the project's own contracts, and a note in others', which the project cannot change.
 */
export function buildRoutes(method: DescMethod, findings: Findings): Http[] {
  if (!hasOption(method, httpOption)) return [];
  const tell = (message: string, at: readonly number[]) =>
    isOurs(method)
      ? findings.error("HTTP_RULE", method, message, at)
      : findings.note("HTTP_RULE", method, `${message} ${leftOut}`, at);
  if (method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming") {
    tell(`${method.name} streams requests, which HTTP with JSON cannot: remove google.api.http.`, [httpOption.number]);
    return [];
  }
  const rule = getOption(method, httpOption);
  const nested = rule.additionalBindings.map((binding, i) => ({
    binding,
    at: [httpOption.number, field.additionalBindings.number, i],
  }));
  return [{ binding: rule, at: [httpOption.number] }, ...nested].flatMap(({ binding, at }) => {
    const fail: Fail = (message, part) => tell(message, part === undefined ? at : [...at, part.number]);
    if (binding !== rule && binding.additionalBindings.length > 0) {
      fail(
        "A binding in additional_bindings has none of its own: move it out, beside this one.",
        field.additionalBindings,
      );
    }
    return buildRoute(method, binding, at, fail) ?? [];
  });
}

function buildRoute(method: DescMethod, rule: HttpRule, option: readonly number[], fail: Fail): Http | undefined {
  const { pattern, selector } = rule;
  if (pattern.case === undefined) return fail("The rule has no verb: say get, put, post, delete or patch.");
  if (pattern.case === "custom") {
    return fail("A rule of its own kind is not served: use get, put, post, delete or patch.", field.custom);
  }
  if (selector !== "" && selector !== `${method.parent.typeName}.${method.name}`) {
    return fail(`selector names ${selector}, but the rule is ${method.name}'s: remove selector.`, field.selector);
  }
  const route = {
    verb: pattern.case.toUpperCase() as Http["verb"],
    path: pattern.value,
    body: rule.body || undefined,
    responseBody: rule.responseBody || undefined,
  };
  const parts = { path: field[pattern.case], body: field.body, responseBody: field.responseBody };
  try {
    resolveRoute({ ...route, method });
    return { ...route, option };
  } catch (error) {
    if (!(error instanceof RouteError)) throw error;
    return fail(`${upperFirst(error.message)}.`, parts[error.part]);
  }
}

/**
 * Rejects two methods with the same verb and path, and paths that the gateway serves itself. In contracts that are not the
 * project's, the route is left out and noted; the project's own routes take precedence.
 */
export function checkRoutes(methods: readonly { desc: DescMethod; routes: Http[] }[], findings: Findings): void {
  const services = [...new Set(methods.map(({ desc }) => desc.parent.typeName))];
  const seen = new Map<string, DescMethod>();
  for (const { desc, routes } of methods.toSorted((a, b) => Number(isOurs(b.desc)) - Number(isOurs(a.desc)))) {
    const served = routes.filter(({ verb, path, option }) => {
      const template = parseTemplate(path);
      const key = `${verb} ${templateKey(template)}`;
      const fault = whyTaken(desc, reservedBy(template, services), seen.get(key));
      if (fault === undefined) {
        seen.set(key, desc);
        return true;
      }
      const [what, wayOut] = fault;
      const text = `${verb} ${path} ${what}`;
      if (isOurs(desc)) findings.error("HTTP_ROUTE_TAKEN", desc, `${text}: ${wayOut}.`, option);
      else findings.note("HTTP_ROUTE_TAKEN", desc, `${text}. ${leftOut}`, option);
      return false;
    });
    routes.splice(0, Infinity, ...served);
  }
}

/** The conflict of a route's path, and how to resolve it. */
function whyTaken(
  desc: DescMethod,
  reserved: string | undefined,
  other: DescMethod | undefined,
): readonly [what: string, wayOut: string] | undefined {
  if (reserved !== undefined) return [`already leads to ${reserved}`, `give ${desc.name} another path`];
  if (other === undefined) return undefined;
  if (other === desc) return [`repeats another route of ${desc.name}`, "remove one"];
  return [`already means ${other.parent.typeName}.${other.name}`, `give ${desc.name} a path of its own`];
}
