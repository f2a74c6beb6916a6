import type { DescMessage } from "@bufbuild/protobuf";
import { JsonText, Token } from "../../codec/protojson/json-text.js";
import { findField } from "./field-path.js";

/**
 * Returns the paths of all leaf fields of a JSON body: the field mask of a PATCH without one. Lists, maps and messages of
 * google.protobuf are leaves, because a FieldMask cannot select a part of them. So are `null`, which clears a field, and `{}`.
 *
 * @param body a valid JSON text of the message type
 */
export function fieldMaskPaths(message: DescMessage, body: string): string[] {
  return pathsOf(message, new JsonText(body));
}

function pathsOf(message: DescMessage, json: JsonText): string[] {
  if (json.peek() !== Token.OBJECT) {
    json.skip();
    return [];
  }
  json.at++;
  const paths: string[] = [];
  for (let isFirst = true; json.nextMember(isFirst); isFirst = false) {
    const field = findField(message, json.key());
    const isLeaf = field?.fieldKind !== "message" || field.message.typeName.startsWith("google.protobuf.");
    const nested = isLeaf ? [] : pathsOf(field.message, json);
    if (isLeaf) json.skip();
    if (field === undefined) continue;
    if (nested.length === 0) paths.push(field.name);
    else for (const path of nested) paths.push(`${field.name}.${path}`);
  }
  return paths;
}
