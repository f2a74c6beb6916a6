/** Freezes plain data deeply. Descriptors, which are not plain, stay as they are. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || isDescriptor(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}

function isDescriptor(value: object): boolean {
  return "kind" in value && "proto" in value;
}
