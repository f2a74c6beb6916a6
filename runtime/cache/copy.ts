/**
 * Cached messages are copied when they are read, because a handler may modify them. `_cache` files copy messages field by field; these
 * functions are for values that have no generated copier.
 */

/** Returns a deep copy of a message or a field's value. */
export function copy<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copy) as T;
  if (value instanceof Uint8Array) return copyBytes(value) as Uint8Array as T;
  const prototype = Object.getPrototypeOf(value);
  // Messages with explicit defaults (proto2, editions) have them on their prototype.
  const result: Record<string, unknown> =
    prototype === Object.prototype ? { ...value } : Object.assign(Object.create(prototype), value);
  for (const name of Object.keys(result)) {
    const inner = result[name];
    if (typeof inner === "object" && inner !== null) result[name] = copy(inner);
  }
  return result as T;
}

/** Copies bytes. `slice` would share a Buffer's memory. */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** Copies a list and its elements. */
export function copyList<V>(list: readonly V[], copyElement: (element: V) => V): V[] {
  const result = list.slice();
  for (let at = 0; at < result.length; at++) result[at] = copyElement(result[at]!);
  return result;
}

/** Copies a map and its values; keys are strings in JavaScript, whatever their type. */
export function copyMap<V>(map: { [key: string]: V }, copyValue: (value: V) => V): { [key: string]: V } {
  const result = { ...map };
  // The original has `__proto__` as an own property, so the copy has it, too, and this sets it like any other key.
  for (const key of Object.keys(result)) result[key] = copyValue(result[key]!);
  return result;
}
