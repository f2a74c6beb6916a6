import { clearField, type DescField, type DescMessage, type JsonValue, type Message } from "@bufbuild/protobuf";
import { copyMessage } from "../codec/copy.js";
import { isJsonField, setField, valueOfField } from "../codec/field.js";
import { codecOf } from "../codec/known.js";
import { put } from "../codec/message.js";
import type { MethodPolicy } from "../spec/policy.js";

/**
 * Returns a request without its key and the fields that its method ignores, as bytes that are equal for equal requests. Map entries
 * are put in order first: their order on the wire means nothing, and clients written in Go change it from call to call.
 */
export function fingerprint(
  schema: DescMessage,
  request: Message,
  { idempotencyKey, idempotencyIgnores = [] }: MethodPolicy,
): Uint8Array {
  const copy = copyMessage(request);
  for (const field of schema.fields) {
    if (field.localName === idempotencyKey || idempotencyIgnores.includes(field.localName)) clearField(copy, field);
  }
  return codecOf(schema).toBytes(withOrderedMaps(schema, copy));
}

/** The same with what its method ignores, as keys were kept before it did; undefined if it ignores nothing. */
export function wholeFingerprint(schema: DescMessage, request: Message, policy: MethodPolicy): Uint8Array | undefined {
  if (!policy.idempotencyIgnores?.length) return undefined;
  return fingerprint(schema, request, { ...policy, idempotencyIgnores: [] });
}

/** Puts the entries of all maps in a message in order, and returns it. */
function withOrderedMaps<M extends object>(schema: DescMessage, message: M): M {
  for (const field of schema.fields) {
    if (field.fieldKind !== "map" && field.message === undefined) continue;
    const value = valueOfField(message, field);
    if (value !== undefined) setField(message, field, inOrder(field, value));
  }
  return message;
}

function inOrder(field: DescField, value: unknown): unknown {
  if (field.fieldKind === "map") return ordered(value as Record<string, unknown>, (each) => itemInOrder(field, each));
  if (field.fieldKind === "list") return (value as unknown[]).map((each) => itemInOrder(field, each));
  return itemInOrder(field, value);
}

function itemInOrder(field: DescField, value: unknown): unknown {
  // What a wrapper wraps is no object, or bytes.
  if (field.message === undefined || typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return value;
  return isJsonField(field) ? jsonInOrder(value as JsonValue) : withOrderedMaps(field.message, value);
}

function jsonInOrder(json: JsonValue): JsonValue {
  if (Array.isArray(json)) return json.map(jsonInOrder);
  return typeof json === "object" && json !== null ? ordered(json, jsonInOrder) : json;
}

function ordered<V>(map: Readonly<Record<string, V>>, item: (value: V) => V): Record<string, V> {
  const sorted: Record<string, V> = {};
  for (const key of Object.keys(map).sort()) put(sorted, key, item(map[key] as V));
  return sorted;
}
