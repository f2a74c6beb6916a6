import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** Finds a field by its proto name or its JSON name. */
export function findField(message: DescMessage, name: string): DescField | undefined {
  return message.fields.find((field) => field.name === name) ?? message.fields.find((field) => field.jsonName === name);
}

/** The fields on the way to a nested field; undefined if one of them does not exist or is no single message. */
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

/** `product.id`: a field's path in proto spelling. */
export function pathName(path: readonly DescField[]): string {
  return path.map((field) => field.name).join(".");
}
