/**
 * A copy that shares nothing with the original: messages, and what they hold.
 *
 * Cached messages are copied on their way out, because a handler may go on to change what it got. Freezing them
 * instead would cost nothing, but turns that honest change into an error that shows only when the cache hits, and bytes
 * cannot be frozen at all. An order of three lines is copied in about 0.4 µs; `clone` of @bufbuild/protobuf, which goes
 * by the schema, takes 7.
 */
export function copy<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copy) as T;
  if (value instanceof Uint8Array) return value.slice() as T;
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
