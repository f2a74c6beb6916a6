import { create, type DescEnum, type DescMessage, type MessageShape } from "@bufbuild/protobuf";

/**
 * What `_codec` files do with messages beside reading and writing their fields. They speak of no globals, for a
 * contract's message may be called like one.
 */

/** Whether a field with presence is set. Messages of proto2 and editions inherit its default while it is not. */
export function has<M extends object>(message: M, name: keyof M): boolean {
  return Object.hasOwn(message, name) && message[name] != null;
}

/** A property that every object would inherit something else for. */
export function own<M extends object, K extends keyof M>(message: M, name: K): M[K] | undefined {
  return Object.hasOwn(message, name) ? message[name] : undefined;
}

const prototypes = new WeakMap<DescMessage, object>();

/** A message that inherits its fields' defaults, as protobuf-es makes it, without the properties of its own. */
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

/** Whether an enum has this number. */
export function knows(schema: DescEnum, value: number): boolean {
  return schema.value[value] !== undefined;
}

/** Whether a text, of a field with `jstype = JS_STRING`, says zero. */
export function isZero(value: string): boolean {
  return Number(value) === 0;
}

/** Gives a wrapper what it is to hold, if that is set. */
export function wrap<W extends { value: unknown }>(wrapper: W, value: W["value"] | undefined): W {
  if (value !== undefined) wrapper.value = value;
  return wrapper;
}

/** A map's entries; none if it is not set. */
export function entries<V>(map: { readonly [key: string]: V } | undefined): [key: string, value: V][] {
  return map == null ? [] : Object.entries(map);
}

/** Sets a map's entry. With protobuf-es, one called __proto__ is lost, or changes what the map is. */
export function put<V>(map: { [key: string]: V }, key: string, value: V): void {
  if (key !== "__proto__") map[key] = value;
  else Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}

/** A map's key as the number that it stands for; the property that it is called after is a text. */
export function numberKey(key: string): number {
  return Number.parseInt(key, 10);
}

export function boolKey(key: string): boolean {
  return key !== "" && key !== "false";
}
