import type { DescMessage } from "@bufbuild/protobuf";

/** Returns a memoized function that says whether a type, or a type that its messages can contain at any depth, matches a predicate. */
export function anyInside(is: (schema: DescMessage) => boolean): (schema: DescMessage) => boolean {
  const known = new WeakMap<DescMessage, boolean>();
  return (schema) => {
    let found = known.get(schema);
    if (found === undefined) {
      const reached = new Set([schema]);
      // Iteration over a Set includes elements that are added meanwhile.
      for (const { fields } of reached)
        for (const { message } of fields) if (message !== undefined) reached.add(message);
      found = [...reached].some(is);
      known.set(schema, found);
    }
    return found;
  };
}
