import { clone, type DescField, type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import type { MethodPolicy } from "../call/policy.js";

/**
 * Returns a request without its key and the fields that its method ignores, as bytes that are equal for equal requests. Map entries
 * are put in order first: their order on the wire means nothing, and clients written in Go change it from call to call.
 */
export function fingerprint(
  schema: DescMessage,
  request: Message,
  { idempotencyKey, idempotencyIgnores = [] }: MethodPolicy,
): Uint8Array {
  const copy = clone(schema, request);
  const message = reflect(schema, copy);
  for (const field of schema.fields) {
    if (field.localName === idempotencyKey || idempotencyIgnores.includes(field.localName)) message.clear(field);
  }
  orderMaps(message);
  return toBinary(schema, copy);
}

/** The same with what its method ignores, as keys were kept before it did; undefined if it ignores nothing. */
export function wholeFingerprint(schema: DescMessage, request: Message, policy: MethodPolicy): Uint8Array | undefined {
  if (!policy.idempotencyIgnores?.length) return undefined;
  return fingerprint(schema, request, { ...policy, idempotencyIgnores: [] });
}

function orderMaps(message: ReflectMessage): ReflectMessage {
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "map") {
      orderMap(message, field);
    } else if (field.fieldKind === "message") {
      // Set again, because google.protobuf.Struct is kept as a plain object, and what was ordered is a copy of it.
      message.set(field, orderMaps(message.get(field)));
    } else if (field.fieldKind === "list" && field.listKind === "message") {
      const list = message.get(field);
      for (let i = 0; i < list.size; i++) list.set(i, orderMaps(list.get(i) as ReflectMessage));
    }
  }
  return message;
}

function orderMap(message: ReflectMessage, field: DescField & { fieldKind: "map" }): void {
  const map = message.get(field);
  const entries = [...map].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  map.clear();
  for (const [key, value] of entries) {
    map.set(key, field.mapKind === "message" ? orderMaps(value as ReflectMessage) : value);
  }
}
