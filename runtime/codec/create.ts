import {
  create,
  type DescField,
  type DescMessage,
  isMessage,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { anyInside } from "./any-inside.js";
import { isJsonField } from "./field.js";
import { put } from "./message.js";

/**
 * Creates a message as protobuf-es's `create` does, with two differences: a map entry whose key is `__proto__` is kept, and values
 * that `init` inherits from Object.prototype are ignored, because a field may be called `has_own_property`.
 *
 * @throws TypeError if `init` is not an object, or is a message of another type
 */
export function createMessage<D extends DescMessage>(schema: D, init: MessageInitShape<D>): MessageShape<D> {
  if (isMessage(init, schema)) return init as MessageShape<D>;
  if (typeof init !== "object" || init === null) throw notA(schema, init);
  const given = init as Readonly<Record<string, unknown>>;
  if (given.$typeName !== undefined && given.$typeName !== schema.typeName) throw notA(schema, init);
  const message = create(schema);
  const made = message as Record<string, unknown>;
  for (const member of schema.members) {
    const { localName: name } = member;
    const value = isInherited(name) && !Object.hasOwn(given, name) ? undefined : given[name];
    if (value == null) continue;
    if (member.kind === "field") made[name] = fieldValue(member, value);
    else {
      const { case: set, value: held } = value as { readonly case?: string; readonly value?: unknown };
      const field = member.fields.find(({ localName }) => localName === set);
      if (field !== undefined) made[name] = { case: set, value: fieldValue(field, held) };
    }
  }
  return message;
}

/** Returns the error for a value that is not a message of this type; the error says what the value is. */
export function notA({ typeName }: DescMessage, value: unknown): TypeError {
  const type = typeof value === "object" ? (value as { $typeName?: unknown } | null)?.$typeName : undefined;
  const found = value === null ? "null" : type === undefined ? typeof value : `a ${type}`;
  return new TypeError(`this is no ${typeName}, but ${found}`);
}

/** Returns a field's value for a value in an init object. */
function fieldValue(field: DescField, value: unknown): unknown {
  if (!isMade(field)) return value;
  if (field.fieldKind === "list") return Array.isArray(value) ? value.map((each) => itemOf(field, each)) : value;
  if (field.fieldKind !== "map") return itemOf(field, value);
  if (typeof value !== "object" || value === null) return value;
  const map: Record<string, unknown> = {};
  for (const [key, init] of Object.entries(value)) put(map, key, itemOf(field, init));
  return map;
}

/** Returns whether a field's stored value may differ from the value in an init object. */
function isMade({ message, scalar }: DescField): boolean {
  return message !== undefined || scalar === ScalarType.BYTES;
}

function itemOf(field: DescField, value: unknown): unknown {
  const { message } = field;
  if (message === undefined) return bytesOf(value);
  // A wrapper field holds the wrapped value, and a Struct field holds JSON.
  if (field.fieldKind === "message" && field.oneof === undefined && isWrapperDesc(message)) {
    return message.fields[0].scalar === ScalarType.BYTES ? bytesOf(value) : value;
  }
  if (isJsonField(field)) return value;
  return typeof value === "object" && value !== null ? createMessage(message, value as never) : value;
}

function bytesOf(value: unknown): unknown {
  return Array.isArray(value) ? new Uint8Array(value as number[]) : value;
}

/** Returns an init object that protobuf-es's `create` takes without loss; usually that is `init` itself. */
export function explicit<I>(schema: DescMessage, init: I): I {
  return typeof init === "object" && init !== null && isLossy(schema)
    ? (createMessage(schema, init as never) as I)
    : init;
}

/** Applies `explicit` to each message of a stream. */
export function eachExplicit<I>(schema: DescMessage, inits: AsyncIterable<I>): AsyncIterable<I> {
  return isLossy(schema) ? mapped(inits, (init) => explicit(schema, init)) : inits;
}

async function* mapped<I>(inits: AsyncIterable<I>, map: (init: I) => I): AsyncIterable<I> {
  for await (const init of inits) yield map(init);
}

/** Returns whether Object.prototype has a property of this name. */
export function isInherited(name: string): boolean {
  return name in Object.prototype;
}

/** Returns whether a message type, or one inside it, has a field or oneof whose name is a property of Object.prototype. */
const isOdd = anyInside(({ members }) => members.some(({ localName }) => isInherited(localName)));

/** Returns whether `create` may lose something of such an init object. */
const isLossy = anyInside(
  (schema) =>
    isOdd(schema) ||
    schema.fields.some(
      ({ fieldKind, message, scalar }) => fieldKind === "map" && (message !== undefined || scalar === ScalarType.BYTES),
    ),
);

/**
 * Sets unset message fields whose name is a property of Object.prototype to `undefined`, in the message and all messages in it.
 * Otherwise protobuf-es's reflection takes the inherited property for a message.
 */
export function hideInherited(schema: DescMessage, message: object): void {
  if (!isOdd(schema)) return;
  const fields = message as Record<string, unknown>;
  for (const { fieldKind, message: inner, localName: name, oneof } of schema.fields) {
    if (inner === undefined) continue;
    if (oneof !== undefined) {
      const { case: set, value } = fields[oneof.localName] as { readonly case?: string; readonly value?: object };
      if (set === name) hideInherited(inner, value!);
    } else if (!Object.hasOwn(fields, name)) {
      if (isInherited(name)) fields[name] = undefined;
    } else if (typeof fields[name] === "object" && fields[name] !== null) {
      const values = fieldKind === "message" ? [fields[name]] : Object.values(fields[name]);
      for (const value of values) if (typeof value === "object") hideInherited(inner, value as object);
    }
  }
}
