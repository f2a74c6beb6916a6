import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { JsonFault, short } from "../../codec/protojson/fault.js";
import { mergeJsonField } from "../../codec/protojson/read.js";
import { errorFor } from "../../errors/error.js";
import { BadRequestSchema } from "../../options/google/rpc/error_details_pb.js";
import { findFieldPath, pathName } from "./field-path.js";
import type { PathValue } from "./path.js";
import { fitsInUrl, jsonFromText, parseQuery } from "./query.js";
import type { ResolvedRoute } from "./resolve.js";

/** Reads request fields from a URL: from the variables of the path, and from query parameters, for fields that nothing else sets. */
export class UrlFields {
  constructor(
    private readonly input: DescMessage,
    private readonly route: Pick<ResolvedRoute, "inPath" | "body">,
  ) {}

  /**
   * Sets fields of a message.
   *
   * @throws ConnectError INVALID_ARGUMENT with a BadRequest violation for each fault, at most ten of them in the query
   */
  read(message: Message, values: readonly PathValue[], query: string): void {
    const violations: { field: string; description: string }[] = [];
    const given = new Map<unknown, string>();
    for (const [name, text] of parseQuery(query)) {
      const path = findFieldPath(this.input, name.split("."));
      const description = this.misplaced(path, given) ?? this.set(message, path!, text);
      if (description !== undefined) violations.push({ field: short(name), description });
      if (violations.length === MAX_VIOLATIONS) break;
      if (path !== undefined) for (const slot of slots(path)) given.set(slot, name);
    }
    for (const { fieldPath, value } of values) {
      const description = this.set(message, findFieldPath(this.input, fieldPath)!, value);
      if (description !== undefined) violations.push({ field: fieldPath.join("."), description });
    }
    if (violations.length === 0) return;
    const summary = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
    const details = [{ desc: BadRequestSchema, value: { fieldViolations: violations } }];
    throw errorFor("REQUEST_INVALID", summary, { details });
  }

  /** Returns the reason why a query parameter is not allowed; undefined if it is. */
  private misplaced(path: readonly DescField[] | undefined, given: ReadonlyMap<unknown, string>): string | undefined {
    const { input, route } = this;
    const { body, inPath } = route;
    if (body === "*") return "cannot be a query parameter here: the body holds every field";
    if (path === undefined) return `unknown query parameter: ${input.typeName} has no such field`;
    if (inPath.has(pathName(path))) return "is set by the path already";
    if (body !== undefined && overlap(path, body)) return "belongs into the body";
    if (!fitsInUrl(path.at(-1)!)) return "holds no plain value: name one of its fields";
    const rival = slots(path).find((slot) => given.has(slot));
    if (rival === undefined) return undefined;
    return rival === pathName(path) ? "is given twice" : `cannot be given beside ${given.get(rival)}`;
  }

  /** Sets a field from a text. Returns the fault if the text is invalid. */
  private set(message: Message, path: readonly DescField[], text: string): string | undefined {
    const field = path.at(-1)!;
    const json = jsonFromText(field, text);
    try {
      mergeJsonField(this.input, message, path, field.fieldKind === "list" ? `[${json}]` : json, { protoPaths: true });
      return undefined;
    } catch (error) {
      if (error instanceof JsonFault) return error.description;
      throw error;
    }
  }
}

/** The maximum number of reported faults in a query: a response should not be larger than its request. */
const MAX_VIOLATIONS = 10;

/** Returns the names of what a field sets, and what may be set only once: its oneof or itself; none for a repeated field. */
function slots(path: readonly DescField[]): string[] {
  const field = path.at(-1)!;
  if (field.fieldKind === "list") return [];
  const oneof = field.oneof && `${pathName(path.slice(0, -1))} oneof ${field.oneof.name}`;
  return oneof === undefined ? [pathName(path)] : [oneof];
}

/** Returns whether two fields are equal, or one contains the other. */
function overlap(a: readonly DescField[], b: readonly DescField[]): boolean {
  return a.every((field, i) => b[i] === undefined || b[i] === field);
}
