import type { DescExtension, DescMessage } from "@bufbuild/protobuf";

/**
 * Returns the path of a part of an option, for `placeOf`: `optionPath(methodOption, "saga", "steps", 2, "call")`. Names are
 * those of the vocabulary's fields; numbers are positions in lists.
 *
 * @throws Error if the vocabulary has no such field
 */
export function optionPath(option: DescExtension, ...parts: readonly (string | number)[]): number[] {
  let message: DescMessage | undefined = option.message;
  const path = [option.number];
  for (const part of parts) {
    if (typeof part === "number") {
      path.push(part);
      continue;
    }
    const field: DescMessage["fields"][number] | undefined = message?.fields.find(({ name }) => name === part);
    if (field === undefined) throw new Error(`${option.typeName} has no ${parts.join(".")}`);
    path.push(field.number);
    message = field.message;
  }
  return path;
}
