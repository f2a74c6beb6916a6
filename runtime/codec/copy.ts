import type { Message } from "@bufbuild/protobuf";

/** Returns a deep copy of a message. protobuf-es's `clone` loses entries of maps and Structs whose key is `__proto__`. */
export function copyMessage<M extends Message>(message: M): M {
  return copy(message) as M;
}

/** Returns a deep copy of a field's value. */
export function copy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  // Not `slice`: a slice of a Buffer shares its memory.
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(copy);
  // The defaults of proto2 and editions are on the prototype.
  const made = Object.create(Object.getPrototypeOf(value)) as object;
  for (const [key, held] of Object.entries(value)) {
    Object.defineProperty(made, key, { value: copy(held), writable: true, enumerable: true, configurable: true });
  }
  return made;
}
