import type { DescMessage } from "@bufbuild/protobuf";

/** Returns a function that says whether a type, or one that a message of it may hold at any depth, is of a kind. It remembers. */
export function anyInside(is: (schema: DescMessage) => boolean): (schema: DescMessage) => boolean {
  const known = new WeakMap<DescMessage, boolean>();
  return (schema) => {
    let found = known.get(schema);
    if (found === undefined) {
      const reached = new Set([schema]);
      // A set may grow while it is walked.
      for (const { fields } of reached)
        for (const { message } of fields) if (message !== undefined) reached.add(message);
      found = [...reached].some(is);
      known.set(schema, found);
    }
    return found;
  };
}
