import {
  create,
  type DescField,
  type DescMessage,
  isMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";

/**
 * As protobuf-es's `create`, but what `init` only inherits from Object.prototype is no value: a field may be called
 * `has_own_property`.
 */
export function createMessage<D extends DescMessage>(schema: D, init: MessageInitShape<D>): MessageShape<D> {
  return create(schema, explicit(schema, init));
}

/** `init` with no more values than are its own, for others who create messages. Most often it is `init` itself. */
export function explicit<I>(schema: DescMessage, init: I): I {
  return typeof init === "object" && init !== null && isOdd(schema) ? (ownInit(schema, init) as I) : init;
}

/** The same for a stream of messages. */
export function eachExplicit<I>(schema: DescMessage, inits: AsyncIterable<I>): AsyncIterable<I> {
  return isOdd(schema) ? mapped(inits, (init) => explicit(schema, init)) : inits;
}

async function* mapped<I>(inits: AsyncIterable<I>, map: (init: I) => I): AsyncIterable<I> {
  for await (const init of inits) yield map(init);
}

/** Whether every object inherits a property of this name. */
export function isInherited(name: string): boolean {
  return name in Object.prototype;
}

const odd = new WeakMap<DescMessage, boolean>();

/** Whether a message, or one in it, has a field or oneof that is called like what every object inherits. */
function isOdd(schema: DescMessage): boolean {
  const known = odd.get(schema);
  if (known !== undefined) return known;
  const reached = new Set([schema]);
  // A set may grow while it is walked.
  for (const { fields } of reached) for (const { message } of fields) if (message !== undefined) reached.add(message);
  const found = [...reached].some(({ members }) => members.some(({ localName }) => isInherited(localName)));
  odd.set(schema, found);
  return found;
}

/** The same values in an object that inherits nothing. */
function ownInit(schema: DescMessage, init: object): object {
  if (isMessage(init, schema)) return init;
  const given = init as Readonly<Record<string, unknown>>;
  const own: Record<string, unknown> = Object.create(null);
  for (const member of schema.members) {
    const name = member.localName;
    if (!Object.hasOwn(given, name)) continue;
    own[name] = member.kind === "oneof" ? ownCase(member.fields, given[name]) : ownValue(member, given[name]);
  }
  return own;
}

function ownCase(fields: readonly DescField[], given: unknown): unknown {
  const { case: name, value } = (given ?? {}) as { readonly case?: string; readonly value?: unknown };
  const field = fields.find(({ localName }) => localName === name);
  return field === undefined ? undefined : { case: name, value: ownValue(field, value) };
}

function ownValue({ fieldKind, message }: DescField, value: unknown): unknown {
  if (message === undefined || typeof value !== "object" || value === null) return value;
  const one = (init: unknown) => (typeof init === "object" && init !== null ? ownInit(message, init) : init);
  if (fieldKind === "list") return Array.isArray(value) ? value.map(one) : value;
  if (fieldKind === "map") return Object.fromEntries(Object.entries(value).map(([key, init]) => [key, one(init)]));
  return isOdd(message) ? one(value) : value;
}

/**
 * Gives fields that hold a message, are not set, and are called like what every object inherits an `undefined` of their own, in
 * the message and all that is in it: protobuf-es's reflection takes what they inherit for a message.
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
