/**
 * Cached messages are copied on their way out, because a handler may go on to change what it got. `_cache` files copy
 * them field by field; what follows is for the parts that have no such function.
 */

/** A copy that shares nothing with the original: a message, or whatever else a field holds. */
export function copy<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copy) as T;
  if (value instanceof Uint8Array) return copyBytes(value) as Uint8Array as T;
  const prototype = Object.getPrototypeOf(value);
  // Messages with defaults (proto2, editions) have them on their prototype.
  const result: Record<string, unknown> =
    prototype === Object.prototype ? { ...value } : Object.assign(Object.create(prototype), value);
  for (const name of Object.keys(result)) {
    const inner = result[name];
    if (typeof inner === "object" && inner !== null) result[name] = copy(inner);
  }
  return result as T;
}

/** Not by `slice`, for a Buffer's shares its memory. */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** A list with its elements copied. */
export function copyList<V>(list: readonly V[], copyElement: (element: V) => V): V[] {
  const result = list.slice();
  for (let at = 0; at < result.length; at++) result[at] = copyElement(result[at]!);
  return result;
}

/** A map with its values copied; its keys are texts, whatever they stand for. */
export function copyMap<V>(map: { [key: string]: V }, copyValue: (value: V) => V): { [key: string]: V } {
  const result = { ...map };
  // One called __proto__ is its own here, so that this sets an entry like any other.
  for (const key of Object.keys(result)) result[key] = copyValue(result[key]!);
  return result;
}
