import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Route } from "../../spec/route.js";
import { pathName } from "./field-path.js";
import { fitsInUrl } from "./query.js";
import { type PathTemplate, PathTemplateError, parseTemplate } from "./template.js";

/** A route's parsed template, and the descriptors of the fields that the route names. */
export interface ResolvedRoute {
  readonly template: PathTemplate;
  /** The paths of the fields that the URL's path sets, with proto names. */
  readonly inPath: ReadonlySet<string>;
  /** The path of the field that the body sets; "*" for all fields that the URL's path does not set. */
  readonly body: readonly DescField[] | "*" | undefined;
  /** The path of the response field that is sent; undefined for the whole response. */
  readonly responseBody: readonly DescField[] | undefined;
}

/** A route that cannot be served. */
export class RouteError extends Error {
  override readonly name = "RouteError";
  constructor(
    /** The part of the route with the fault. */
    readonly part: "path" | "body" | "responseBody",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Resolves a route. Throws a RouteError if its template is invalid, or if it names a field that does not exist or is not allowed. */
export function resolveRoute({ verb, path, body, responseBody, method }: Route): ResolvedRoute {
  const template = readTemplate(path);
  const inPath = new Set<string>();
  for (const { fieldPath } of template.variables) {
    const name = fieldPath.join(".");
    const fields = fieldsAt(method.input, name, "path", `{${name}} in the path`);
    const unfit = whyNotInPath(fields.at(-1)!);
    if (unfit !== undefined) {
      throw new RouteError("path", `{${name}} in the path is ${unfit}: only a single plain value fits there`);
    }
    inPath.add(name);
  }
  const bodyFields =
    body === undefined || body === "*" ? body : fieldsAt(method.input, body, "body", `the body "${body}"`);
  if (body !== undefined && (verb === "GET" || verb === "DELETE")) {
    throw new RouteError("body", `${verb} carries no body: remove body, or use post`);
  }
  const part = "responseBody";
  const responseFields =
    responseBody === undefined
      ? undefined
      : fieldsAt(method.output, responseBody, part, `the response_body "${responseBody}"`);
  return { template, inPath, body: bodyFields, responseBody: responseFields };
}

function readTemplate(path: string): PathTemplate {
  try {
    return parseTemplate(path);
  } catch (error) {
    if (error instanceof PathTemplateError) throw new RouteError("path", error.message, { cause: error });
    throw error;
  }
}

/** Returns the fields on a dotted path of proto names. Throws a RouteError if one does not exist. */
function fieldsAt(message: DescMessage, path: string, part: RouteError["part"], what: string): DescField[] {
  const fields: DescField[] = [];
  let parent: DescMessage | undefined = message;
  for (const name of path.split(".")) {
    if (parent === undefined) {
      const text = `${what}: ${pathName(fields)} is ${kindOf(fields.at(-1)!)}, and has no fields to name`;
      throw new RouteError(part, text);
    }
    const field: DescField | undefined = parent.fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw new RouteError(part, `${what}: ${noField(parent, name)}`);
    fields.push(field);
    parent = field.fieldKind === "message" ? field.message : undefined;
  }
  return fields;
}

function noField(message: DescMessage, name: string): string {
  const meant = message.fields.find((field) => field.jsonName === name)?.name;
  if (meant !== undefined) return `write "${meant}", as the contract calls the field`;
  const names = message.fields.map((field) => field.name).join(", ") || "none";
  return `${message.name} has no field "${name}"; it has ${names}`;
}

function whyNotInPath(field: DescField): string | undefined {
  return field.fieldKind === "list" || !fitsInUrl(field) ? kindOf(field) : undefined;
}

function kindOf(field: DescField): string {
  const { fieldKind } = field;
  if (fieldKind === "list") return "repeated";
  return fieldKind === "enum" ? "an enum" : `a ${fieldKind}`;
}
