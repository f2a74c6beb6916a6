import type { DescMessage } from "@bufbuild/protobuf";
import { JsonText, Token } from "../../codec/protojson/json-text.js";
import { findField } from "./field-path.js";

/**
 * The paths of the fields that a JSON body names, down to the leaves: what a PATCH without a field mask means to change.
 * Lists, maps and google.protobuf's own messages are leaves, because a FieldMask cannot look into them; so are `null`
 * (which clears) and `{}`.
 *
 * @param body was read as such a message before
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
