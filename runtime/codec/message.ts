import { create, type DescEnum, type DescMessage, type MessageShape } from "@bufbuild/protobuf";

/**
 * Helpers of `_codec` files. Generated code uses no globals, because a message of a contract may have the same name as one.
 */

/** Returns whether a field with presence is set. Unset fields of proto2 and editions inherit their default. */
export function has<M extends object>(message: M, name: keyof M): boolean {
  return Object.hasOwn(message, name) && message[name] != null;
}

/** Returns an own property whose name is also a property of Object.prototype. */
export function own<M extends object, K extends keyof M>(message: M, name: K): M[K] | undefined {
  return Object.hasOwn(message, name) ? message[name] : undefined;
}

const prototypes = new WeakMap<DescMessage, object>();

/** Returns a message that inherits its fields' defaults from its prototype, as protobuf-es creates it, without own properties. */
export function inherit<D extends DescMessage>(schema: D): MessageShape<D> {
  let prototype = prototypes.get(schema);
  if (prototype === undefined) {
    prototype = Object.getPrototypeOf(create(schema)) as object;
    prototypes.set(schema, prototype);
  }
  const message = Object.create(prototype);
  message.$typeName = schema.typeName;
  return message;
}

export function noBytes(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(0);
}

/** Returns whether an enum has this number. */
export function knows(schema: DescEnum, value: number): boolean {
  return schema.value[value] !== undefined;
}

/** Returns whether the text of a field with `jstype = JS_STRING` is zero. */
export function isZero(value: string): boolean {
  return Number(value) === 0;
}

/** Sets a wrapper's value, if there is one. */
export function wrap<W extends { value: unknown }>(wrapper: W, value: W["value"] | undefined): W {
  if (value !== undefined) wrapper.value = value;
  return wrapper;
}

/** Returns a map's entries; an unset map has none. */
export function entries<V>(map: { readonly [key: string]: V } | undefined): [key: string, value: V][] {
  return map == null ? [] : Object.entries(map);
}

/** Sets a map's entry. An assignment to the key `__proto__` would change the map's prototype instead. */
export function put<V>(map: { [key: string]: V }, key: string, value: V): void {
  if (key !== "__proto__") map[key] = value;
  else Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Returns a map key as a number; JavaScript keeps property names as strings. */
export function numberKey(key: string): number {
  return Number.parseInt(key, 10);
}

export function boolKey(key: string): boolean {
  return key !== "" && key !== "false";
}
