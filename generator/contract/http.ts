import { type DescField, type DescMessage, type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { http as httpOption } from "@protoscaffold/runtime/options/google/api/annotations_pb.js";
import type { HttpRule } from "@protoscaffold/runtime/options/google/api/http_pb.js";
import type { Http } from "./contract.js";
import type { Findings } from "./findings.js";

const HTTP = 72295728;

/**
 * A method's HTTP face, additional bindings included. Nobody asks for that of a service that the system does not run,
 * so what is wrong with it is only noted there.
 */
export function buildRoutes(method: DescMethod, run: boolean, findings: Findings): Http[] {
  if (!hasOption(method, httpOption)) return [];
  const tell = (message: string) =>
    run ? findings.error("HTTP_RULE", method, message, [HTTP]) : findings.note("HTTP_RULE", method, message, [HTTP]);
  if (method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming") {
    tell(`${method.name} streams requests, which HTTP with JSON cannot: remove google.api.http.`);
    return [];
  }
  const rule = getOption(method, httpOption);
  return [rule, ...rule.additionalBindings].flatMap((binding) => buildRoute(method, binding, tell) ?? []);
}

function buildRoute(method: DescMethod, rule: HttpRule, fail: (message: string) => undefined): Http | undefined {
  const { pattern } = rule;
  if (pattern.case === undefined) return fail("The rule has no verb: say get, put, post, delete or patch.");
  if (pattern.case === "custom")
    return fail("A rule of its own kind is not served: use get, put, post, delete or patch.");
  const path = pattern.value;
  if (!path.startsWith("/")) return fail(`The path "${path}" begins with no slash: write "/${path}".`);
  for (const [, name = ""] of path.matchAll(/\{([^}=]+)(?:=[^}]*)?\}/g)) {
    const field = fieldAt(method.input, name);
    if (field === undefined)
      return fail(
        `${method.input.name} has no field ${name} for {${name}} in the path; it has ${names(method.input)}.`,
      );
    if (field.fieldKind !== "scalar" && field.fieldKind !== "enum")
      return fail(`{${name}} in the path is a ${field.fieldKind}: only a scalar fits there.`);
  }
  if (rule.body !== "" && rule.body !== "*" && fieldAt(method.input, rule.body) === undefined) {
    return fail(`${method.input.name} has no field ${rule.body} for the body; it has ${names(method.input)}.`);
  }
  if (rule.body !== "" && (pattern.case === "get" || pattern.case === "delete")) {
    return fail(`${pattern.case.toUpperCase()} carries no body: remove body, or use post.`);
  }
  if (rule.responseBody !== "" && fieldAt(method.output, rule.responseBody) === undefined) {
    return fail(
      `${method.output.name} has no field ${rule.responseBody} to answer with; it has ${names(method.output)}.`,
    );
  }
  return {
    verb: pattern.case.toUpperCase() as Http["verb"],
    path,
    body: rule.body || undefined,
    responseBody: rule.responseBody || undefined,
  };
}

/** Refuses two methods with one verb and path. */
export function checkRoutes(
  methods: readonly { desc: DescMethod; routes: readonly Http[] }[],
  findings: Findings,
): void {
  const seen = new Map<string, DescMethod>();
  for (const { desc, routes } of methods) {
    for (const { verb, path } of routes) {
      // What a variable is called does not tell two paths apart.
      const face = `${verb} ${path.replace(/\{[^}=]+(=[^}]*)?\}/g, (_, pattern: string | undefined) => `{${pattern ?? ""}}`)}`;
      const other = seen.get(face);
      if (other !== undefined) {
        findings.error(
          "HTTP_ROUTE_TAKEN",
          desc,
          `${verb} ${path} already means ${other.parent.typeName}.${other.name}: give ${desc.name} a path of its own.`,
          [HTTP],
        );
      }
      seen.set(face, desc);
    }
  }
}

/** The field at a dotted path of proto names. */
function fieldAt(message: DescMessage, path: string): DescField | undefined {
  const [first, ...rest] = path.split(".");
  const field = message.fields.find((candidate) => candidate.name === first);
  if (field === undefined || rest.length === 0) return field;
  return field.fieldKind === "message" ? fieldAt(field.message, rest.join(".")) : undefined;
}

function names(message: DescMessage): string {
  return message.fields.map((field) => field.name).join(", ") || "none";
}
