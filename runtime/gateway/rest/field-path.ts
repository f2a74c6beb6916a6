import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** Returns the field with a proto name or a JSON name. */
export function findField(message: DescMessage, name: string): DescField | undefined {
  return message.fields.find((field) => field.name === name) ?? message.fields.find((field) => field.jsonName === name);
}

/** Returns the fields on the path to a nested field; undefined if one does not exist, or a parent is not a singular message. */
export function findFieldPath(message: DescMessage, names: readonly string[]): DescField[] | undefined {
  const path: DescField[] = [];
  let parent: DescMessage | undefined = message;
  for (const name of names) {
    const field: DescField | undefined = parent && findField(parent, name);
    if (field === undefined) return undefined;
    path.push(field);
    parent = field.fieldKind === "message" ? field.message : undefined;
  }
  return path;
}

/** Returns a field's path with proto names, such as `product.id`. */
export function pathName(path: readonly DescField[]): string {
  return path.map((field) => field.name).join(".");
}
